"""What scales and connects the apps of an EKS cluster, as Helm charts at fixed versions.

KEDA scales replicas inside floor and ceiling, Karpenter buys nodes for them, NVIDIA's plugin shows
the GPUs to the scheduler, the AWS Load Balancer Controller puts pods behind our balancer.
"""

from __future__ import annotations

import pulumi

from components.aws.iam import karpenter_policy, pod_role, target_binding_policy
from components.kubernetes.charts import SYSTEM, keda, release
from components.options import also
from components.tags import Tags

KARPENTER, BALANCER = "karpenter", "aws-load-balancer-controller"
KARPENTER_VERSION, BALANCER_VERSION, GPU_PLUGIN_VERSION = "1.8.0", "1.13.4", "0.17.4"


def aws_controllers(
    name: str,
    region: str,
    account: str,
    vpc_id: pulumi.Input[str],
    key_arn: pulumi.Output[str],
    tags: Tags,
    replicas: int,
    cluster: pulumi.Input[str],
    opts: pulumi.ResourceOptions,
) -> list[pulumi.Resource]:
    """All of them; those that call AWS with a role of their own."""
    outside = pulumi.ResourceOptions(parent=opts.parent)
    policies: dict[str, pulumi.Input[str]] = {
        KARPENTER: key_arn.apply(lambda arn: karpenter_policy(account, region, name, arn)),
        BALANCER: target_binding_policy(region, account),
    }
    roles = {
        chart: pod_role(
            f"{name}-{chart}", cluster, SYSTEM, chart, policy, tags.aws, region, outside
        )
        for chart, policy in policies.items()
    }
    return [
        keda(name, opts),
        release(
            name,
            "nvidia-device-plugin",
            GPU_PLUGIN_VERSION,
            "https://nvidia.github.io/k8s-device-plugin",
            {},
            opts,
        ),
        release(
            name,
            KARPENTER,
            KARPENTER_VERSION,
            "oci://public.ecr.aws/karpenter",
            {"replicas": replicas, "settings": {"clusterName": name}},
            also(opts, depends_on=roles[KARPENTER]),
        ),
        release(
            name,
            BALANCER,
            BALANCER_VERSION,
            "https://aws.github.io/eks-charts",
            {
                "replicaCount": replicas,
                "clusterName": name,
                # Pods cannot ask the node: its metadata is out of their reach.
                "region": region,
                "vpcId": vpc_id,
                "createIngressClassResource": False,
                "serviceAccount": {"name": BALANCER},
            },
            also(opts, depends_on=roles[BALANCER]),
        ),
    ]
