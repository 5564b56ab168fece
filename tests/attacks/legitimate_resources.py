# ruff: noqa: E501 - a table, a case a row
"""What people rightly do, close to what is stopped: each has to pass without a mandatory finding."""

from __future__ import annotations

from dataclasses import replace

from tests.attacks.attacks_on_resources import BLOCK, TRUST, at, ingress, of, policy, role, service
from tests.attacks.engine import UNKNOWN, Declared
from tests.attacks.samples import (
    CONTAINER,
    DIGEST,
    GROUP,
    IMAGE,
    INSTANCE,
    LABELS,
    TAGS,
    allow,
    aws,
    compared,
    document,
    evidence,
    fine,
    gcp,
    k8s,
    model,
    pods,
)  # fmt: skip

NARROW = {"StringEquals": {"aws:SourceAccount": "123456789012"}}
OWN_DIGEST = f"@sha256:{'d' * 64}"


def bucket(**labels: str) -> Declared:
    safe = {"uniformBucketLevelAccess": True, "publicAccessPrevention": "enforced"}
    return gcp("storage/bucket:Bucket", location="europe-west4", **safe, labels={**TAGS, **labels})


LEGITIMATE = (
    # tags
    fine("tagged", aws("s3/bucket:Bucket")),
    fine("tagged-with-more", aws("s3/bucket:Bucket", tags={**TAGS, "team-note": "", "Owner": "also"})),
    fine("tagged-in-another-alphabet", aws("s3/bucket:Bucket", tags={**TAGS, "owner": "команда"})),
    fine("tag-known-at-deployment", aws("s3/bucket:Bucket", tags={**TAGS, "cost_center": UNKNOWN})),
    fine("cannot-be-tagged", aws("s3/bucketVersioning:BucketVersioning", bucket="b")),
    fine("experiment-with-a-day", aws("s3/bucket:Bucket", tags={**TAGS, "environment": "dev", "expires": "2036-12-31"})),
    fine("shared-by-all", aws("s3/bucket:Bucket", tags={**TAGS, "app": "shared"})),
    fine("renamed", replace(aws("s3/bucket:Bucket"), options={"aliases": ["an-older-name"]})),
    fine("protected", replace(aws("s3/bucket:Bucket"), options={"protect": True})),
    # storage
    fine("private-acl", aws("s3/bucketAcl:BucketAcl", bucket="b", acl="private")),
    fine("acl-of-logs", aws("s3/bucketAcl:BucketAcl", bucket="b", accessControlPolicy={"owner": {"id": "me"}, "grants": [
        {"permission": "WRITE", "grantee": {"type": "Group", "uri": "http://acs.amazonaws.com/groups/s3/LogDelivery"}},
        {"permission": "READ", "grantee": {"type": "CanonicalUser", "id": "me"}}]})),
    fine("acl-known-at-deployment", aws("s3/bucketAcl:BucketAcl", bucket="b", acl=UNKNOWN)),
    fine("all-four-blocks", aws("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket="b", **BLOCK)),
    fine("bucket-for-a-cdn", aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(allow(
        Principal={"Service": "cloudfront.amazonaws.com"}, Condition={"StringEquals": {"AWS:SourceArn": "arn:x"}})))),
    fine("bucket-that-wants-tls", aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*",
         "Condition": {"Bool": {"aws:SecureTransport": "false"}}}))),
    fine("bucket-of-an-organisation", aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(allow(
        Principal="*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}})))),
    fine("google-bucket", bucket()),
    fine("google-reader", gcp("storage/bucketIAMMember:BucketIAMMember", bucket="b", role="roles/storage.objectViewer",
                              member="serviceAccount:a@p.iam.gserviceaccount.com")),
    fine("volume-in-use", aws("ebs/volume:Volume", availabilityZone="us-east-1a", size=10, encrypted=True),
         replace(aws("ec2/volumeAttachment:VolumeAttachment", instanceId="i", deviceName="/dev/sdf",
                     volumeId={"$": "unknown", "of": "volume-in-use"}), suffix="by")),
    fine("database", aws("rds/instance:Instance", instanceClass="db.t3.micro", storageEncrypted=True)),
    fine("log-group", aws("cloudwatch/logGroup:LogGroup", retentionInDays=30)),
    fine("registry", aws("ecr/repository:Repository", imageTagMutability="IMMUTABLE",
                         imageScanningConfiguration={"scanOnPush": True})),
    fine("topic", aws("sns/topic:Topic", kmsMasterKeyId=UNKNOWN)),
    # access
    fine("narrow-policy", policy()),
    fine("all-of-one-bucket", policy(Action="s3:*", Resource=["arn:aws:s3:::models", "arn:aws:s3:::models/*"])),
    fine("reads-on-all", policy(Action=["ec2:Describe*", "s3:List*"], Resource="*")),
    fine("service-with-a-condition", policy(Action="ecr:*", Resource="*", Condition={
        "StringEquals": {"aws:ResourceTag/app": "camera"}})),
    fine("policy-that-denies", aws("iam/policy:Policy", policy=document({"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}))),
    fine("policy-known-at-deployment", aws("iam/policy:Policy", policy=UNKNOWN)),
    fine("role-of-machines", role()),
    fine("role-of-a-workload", role({**TRUST, "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "arn:oidc"},
                                     "Condition": {"StringEquals": {"oidc:sub": "system:serviceaccount:serving:a"}}})),
    fine("role-with-an-inline-policy", role(inlinePolicies=[{"name": "read", "policy": document(allow())}])),
    fine("role-of-eks", role(managedPolicyArns=["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"])),
    fine("queue-for-a-topic", aws("sqs/queue:Queue", policy=document(allow(Action="sqs:SendMessage", Principal="*", Condition={
        "ArnEquals": {"aws:SourceArn": "arn:aws:sns:us-east-1:123456789012:t"}})))),
    fine("google-viewer", gcp("projects/iAMMember:IAMMember", project="p", role="roles/logging.viewer",
                              member="group:ops@example.com")),
    fine("google-policy", gcp("projects/iAMPolicy:IAMPolicy", project="p", policyData='{"bindings": [{"role": '
                              '"roles/logging.viewer", "members": ["group:ops@example.com"]}]}')),
    fine("narrow-rbac", k8s("rbac.authorization.k8s.io/v1:Role", rules=[
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}])),
    fine("narrow-binding", k8s("rbac.authorization.k8s.io/v1:RoleBinding", roleRef={"kind": "Role", "name": "reader"},
                               subjects=[{"kind": "ServiceAccount", "name": "a"}])),
    fine("secret-by-reference", pods(env=[{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])),
    fine("secret-by-path", aws("lambda/function:Function", role="r", environment={"variables": {"TOKEN_FILE": "/run/token"}})),
    fine("number-of-tokens", pods(env=[{"name": "MAX_BATCH", "value": "64"}])),
    # network
    fine("https-for-all", ingress(fromPort=443, toPort=443, cidrBlocks=["0.0.0.0/0"], ipv6CidrBlocks=["::/0"])),
    fine("ssh-from-the-office", ingress(cidrBlocks=["203.0.113.0/24"])),
    fine("all-of-a-private-network", ingress(protocol="-1", fromPort=0, toPort=0, cidrBlocks=["10.0.0.0/8"])),
    fine("out-to-the-world", aws("ec2/securityGroupRule:SecurityGroupRule", securityGroupId="sg", type="egress",
                                 protocol="-1", fromPort=0, toPort=0, cidrBlocks=["0.0.0.0/0"])),
    fine("firewall-of-health-checks", gcp("compute/firewall:Firewall", network="n", allows=[{"protocol": "tcp", "ports": ["8080"]}],
                                          sourceRanges=["35.191.0.0/16", "130.211.0.0/22"])),
    fine("firewall-outwards", gcp("compute/firewall:Firewall", network="n", direction="EGRESS",
                                  allows=[{"protocol": "all"}], destinationRanges=["0.0.0.0/0"])),
    fine("cluster-service", service(type="ClusterIP", ports=[{"port": 80}])),
    fine("internal-balancer", service(type="LoadBalancer", annotations={
        "service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"})),
    fine("balancer-for-an-office", service(type="LoadBalancer", loadBalancerSourceRanges=["203.0.113.0/24"])),
    fine("ingress-with-tls", k8s("networking.k8s.io/v1:Ingress", spec={"tls": [{"secretName": "t"}]})),
    fine("ingress-of-an-alb", k8s("networking.k8s.io/v1:Ingress", spec={}, metadata={
        "annotations": {"alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x"}})),
    fine("private-eks", aws("eks/cluster:Cluster", roleArn="r", enabledClusterLogTypes=["api", "audit", "authenticator"],
                            encryptionConfig={"resources": ["secrets"], "provider": {"keyArn": UNKNOWN}},
                            vpcConfig={"subnetIds": ["s"], "endpointPublicAccess": False})),
    # machines
    fine("instance", aws("ec2/instance:Instance", **INSTANCE)),
    fine("instance-with-two-disks", aws("ec2/instance:Instance", **INSTANCE, ebsBlockDevices=[
        {"deviceName": "/dev/sdb", "encrypted": True}])),
    fine("spot-instance", aws("ec2/instance:Instance", **INSTANCE, instanceMarketOptions={"marketType": "spot"})),
    fine("node-group", Declared("aws:eks/nodeGroup:NodeGroup", GROUP)),
    fine("node-group-scaled-to-nothing", Declared("aws:eks/nodeGroup:NodeGroup", {
        **GROUP, "scalingConfig": {"minSize": 0, "desiredSize": 0, "maxSize": 1}})),
    fine("karpenter", replace(k8s("karpenter.sh/v1:NodePool", metadata={"name": "burst"}, spec={
        "limits": {"nvidia.com/gpu": "2"}, "template": {"spec": {"requirements": [
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g6.xlarge"]}]}}}), options={"parent": "camera"})),
    # workloads
    fine("deployment", pods()),
    fine("deployment-with-an-init-container", pods(pod={"initContainers": [CONTAINER]})),
    fine("daemon-set", pods("apps/v1:DaemonSet")),
    fine("job", pods("batch/v1:Job")),
    fine("image-on-ecr", pods(image=f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/lumen/camera{OWN_DIGEST}")),
    fine("image-on-google", pods(image=f"europe-docker.pkg.dev/lumen/models/camera{OWN_DIGEST}")),
    fine("image-with-a-tag-too", pods(image=f"registry.example.com/camera:2.3.1{OWN_DIGEST}")),
    fine("security-by-the-pod", pods(pod={"securityContext": {"runAsNonRoot": True, "runAsUser": 1000}})),
    fine("low-port", pods(securityContext={**CONTAINER["securityContext"], "capabilities": {
        "drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}})),
    fine("patch-of-replicas", k8s("apps/v1:DeploymentPatch", spec={"replicas": 3})),
    fine("namespace", k8s("core/v1:Namespace", metadata={"name": "n", "labels": {
        **LABELS, "pod-security.kubernetes.io/enforce": "restricted"}})),
    fine("service-account", k8s("core/v1:ServiceAccount", automountServiceAccountToken=False)),
    fine("lambda-by-digest", aws("lambda/function:Function", role="r", packageType="Image", imageUri=IMAGE)),
    fine("weights-of-a-component", model(), replace(
        pods(image=IMAGE, env=[{"name": "MODEL_DIGEST", "value": DIGEST}]), suffix="pods",
        options={"parent": "weights-of-a-component"})),
    fine("chart-of-the-owners", Declared("kubernetes:helm.sh/v3:Release", {
        "chart": "keda", "version": "2.18.0", "repositoryOpts": {"repo": "https://kedacore.github.io/charts"}})),
    # residency
    fine("health-in-europe", at("eu-west-1", of("health", aws("s3/bucket:Bucket")))),
    fine("photos-in-america", at("us-west-2", of("photos", aws("s3/bucket:Bucket")))),
    fine("photos-on-google", bucket(app="photos")),
    fine("health-by-its-region", at("us-west-2", of("health", aws("s3/bucket:Bucket", region="eu-central-1")))),
    fine("health-copied-inside-europe", at("eu-west-1", of("health", aws("dynamodb/table:Table", hashKey="id", replicas=[
        {"regionName": "eu-central-1"}])))),
    fine("camera-in-asia", at("ap-south-1", aws("s3/bucket:Bucket"))),
    # models
    fine("model", model()),
    fine("model-with-equal-groups", model(fairness=evidence(comparisons=[
        compared(("a", 9_000, 10_000), ("b", 9_000, 10_000), ("c", 9_010, 10_000))]))),
    fine("model-within-the-tolerance", model(fairness=evidence(comparisons=[
        compared(("a", 92_000, 100_000), ("b", 89_000, 100_000))]))),
    fine("model-by-the-four-fifths", model(fairness=evidence(comparisons=[
        compared(), compared(("a", 30_000, 100_000), ("b", 27_000, 100_000), metric="selection_rate")]))),
    fine("model-with-a-served-pipeline", model(inference_pipeline="pipelines/scene-caption/serve.yaml")),
    fine("model-of-public-data", model(privacy=None, datasets=[
        {"name": "notes-public", "licence": "CC-BY-4.0", "personal_data": False}])),
)  # fmt: skip
