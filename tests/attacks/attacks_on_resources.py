# ruff: noqa: E501 - a table, a case a row
"""Attempts that are a resource or two: what is tried, and the rule that stops it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from tests.attacks.engine import UNKNOWN, Bag, Declared
from tests.attacks.samples import (
    CONTAINER,
    GROUP,
    IMAGE,
    INSTANCE,
    TAGS,
    allow,
    attack,
    aws,
    document,
    gcp,
    k8s,
    pods,
)  # fmt: skip

ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"


def secret(value: str) -> Bag:
    """A value that the engine hides."""
    return {"$": "secret", "value": value}


def at(region: str, declared: Declared) -> Declared:
    """By an explicit provider of a region."""
    return replace(declared, options={**declared.options, "provider": region})


def of(app: str, declared: Declared) -> Declared:
    return replace(declared, props={**declared.props, "tags": {**TAGS, "app": app}})


def ingress(**rule: Any) -> Declared:
    return aws(
        "ec2/securityGroup:SecurityGroup",
        ingress=[{"protocol": "tcp", "fromPort": 22, "toPort": 22, **rule}],
    )


def service(**spec: Any) -> Declared:
    annotations = spec.pop("annotations", {})
    return k8s("core/v1:Service", metadata={"annotations": annotations}, spec=spec)


def policy(**statement: Any) -> Declared:
    return aws("iam/policy:Policy", policy=document(allow(**statement)))


def role(*statements: Bag, **more: Any) -> Declared:
    return aws("iam/role:Role", assumeRolePolicy=document(*(statements or (TRUST,))), **more)


TRUST = {
    "Effect": "Allow",
    "Action": "sts:AssumeRole",
    "Principal": {"Service": "ec2.amazonaws.com"},
}
BLOCK = dict.fromkeys(
    ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True
)

TAGGING = (
    attack("no-tags-outside-a-component", "tags-are-complete", aws("s3/bucket:Bucket", tags={})),
    attack("tags-in-the-wrong-case", "tags-are-complete",
           aws("s3/bucket:Bucket", tags={key.title(): value for key, value in TAGS.items()})),
    attack("tags-that-are-empty", "tags-are-complete", aws("s3/bucket:Bucket", tags={**TAGS, "owner": ""})),
    attack("tags-of-blanks", "tags-are-complete", aws("s3/bucket:Bucket", tags={**TAGS, "owner": " \t "})),
    attack("tags-of-invisible-letters", "tags-are-complete",
           aws("s3/bucket:Bucket", tags={**TAGS, "owner": "\u200b\u2060"})),
    attack("untagged-by-a-transform", "tags-are-complete", aws("s3/bucket:Bucket")),
    attack("owner-is-nobody", "owner-is-named", aws("s3/bucket:Bucket", tags={**TAGS, "owner": "N/A "})),
    attack("app-that-does-not-exist", "claims-hold", aws("s3/bucket:Bucket", tags={**TAGS, "app": "Camera"})),
    attack("labels-of-another-cloud", "tags-are-complete", k8s("core/v1:ConfigMap", labels=TAGS)),
    attack("experiment-for-ever", "experiments-expire", aws("s3/bucket:Bucket", tags={**TAGS, "environment": "dev"})),
    attack("experiment-past-its-day", "experiments-expire",
           aws("s3/bucket:Bucket", tags={**TAGS, "environment": "dev", "expires": "2020-02-02"})),
    attack("aliased-away", "tags-are-complete",
           replace(aws("s3/bucket:Bucket", tags={}), options={"aliases": ["no-tags-outside-a-component"]})),
    attack("protected-and-bad", "tags-are-complete",
           replace(aws("s3/bucket:Bucket", tags={}), options={"protect": True})),
)  # fmt: skip

STORAGE = (
    attack("public-by-bucket-acl", "buckets-are-not-public-by-acl",
           aws("s3/bucketAcl:BucketAcl", bucket="b", acl="public-read")),
    attack("public-by-acl-to-any-account", "buckets-are-not-public-by-acl",
           aws("s3/bucketAcl:BucketAcl", bucket="b", acl="authenticated-read")),
    attack("public-by-hidden-acl", "buckets-are-not-public-by-acl",
           aws("s3/bucketAcl:BucketAcl", bucket="b", acl=secret("public-read"))),
    attack("public-by-grant", "buckets-are-not-public-by-acl",
           aws("s3/bucketAcl:BucketAcl", bucket="b", accessControlPolicy={
               "owner": {"id": "me"},
               "grants": [{"permission": "READ", "grantee": {"type": "Group", "uri": ALL_USERS}}]})),
    attack("public-by-a-policy-of-the-bucket", "policies-trust-somebody",
           aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(allow(Principal={"AWS": ["*"]})))),
    attack("public-by-an-inline-policy", "policies-trust-somebody",
           aws("s3/bucket:Bucket", policy=document(allow(Principal="*")))),
    attack("public-by-half-a-block", "buckets-block-public-access",
           aws("s3/bucketPublicAccessBlock:BucketPublicAccessBlock", bucket="b", **{**BLOCK, "restrictPublicBuckets": False})),
    attack("public-on-google", "gcs-access-is-uniform-and-not-public",
           gcp("storage/bucket:Bucket", location="europe-west4", labels=TAGS)),
    attack("public-google-member", "google-roles-are-narrow",
           gcp("storage/bucketIAMMember:BucketIAMMember", bucket="b", role="roles/storage.objectViewer",
               member="allUsers")),
    attack("public-google-acl", "google-roles-are-narrow",
           gcp("storage/bucketACL:BucketACL", bucket="b", roleEntities=["READER:allUsers"])),
    attack("plain-volume", "disks-are-encrypted",
           aws("ebs/volume:Volume", availabilityZone="us-east-1a", size=10, encrypted="False")),
    attack("plain-second-disk", "disks-are-encrypted",
           aws("ec2/instance:Instance", **INSTANCE, ebsBlockDevices=[{"deviceName": "/dev/sdb", "encrypted": False}])),
    attack("public-database", "databases-are-not-public",
           aws("rds/instance:Instance", instanceClass="db.t3.micro", storageEncrypted=True, publiclyAccessible=True)),
    attack("logs-for-ever", "logs-are-not-kept-for-ever", aws("cloudwatch/logGroup:LogGroup", retentionInDays=0)),
    attack("volume-on-nothing", "nothing-hangs-on-nothing",
           aws("ebs/volume:Volume", availabilityZone="us-east-1a", size=10, encrypted=True)),
)  # fmt: skip

ACCESS = (
    attack("policy-text-in-odd-case", "policies-name-what-they-allow",
           aws("iam/policy:Policy", policy=json.dumps(
               {"statement": {"effect": "allow", "action": "IAM:*", "resource": "*"}}))),
    attack("wildcard-by-not-action", "policies-name-what-they-allow",
           aws("iam/policy:Policy", policy=document({"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}))),
    attack("wildcard-by-not-resource", "policies-name-what-they-allow",
           aws("iam/policy:Policy", policy=document({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "x"}))),
    attack("wildcard-in-two-stars", "policies-name-what-they-allow", policy(Action="**", Resource="**")),
    attack("wildcard-in-pieces", "policies-name-what-they-allow", policy(Action="iam:?*", Resource="arn:aws:*")),
    attack("wildcard-with-an-empty-condition", "policies-name-what-they-allow",
           policy(Action="s3:*", Resource="*", Condition={"StringLike": {"aws:PrincipalArn": "*"}})),
    attack("wildcard-inside-a-role", "policies-name-what-they-allow",
           role(inlinePolicies=[{"name": "all", "policy": document(allow(Action="*", Resource="*"))}])),
    attack("role-for-everybody", "policies-trust-somebody", role({**TRUST, "Principal": {"AWS": "*"}})),
    attack("role-for-all-but-one", "policies-trust-somebody",
           role({"Effect": "Allow", "Action": "sts:AssumeRole", "NotPrincipal": {"AWS": "x"}})),
    attack("role-for-everybody-like-star", "policies-trust-somebody",
           role({**TRUST, "Principal": {"AWS": "*"}, "Condition": {"StringLike": {"aws:PrincipalArn": "*"}}})),
    attack("bucket-for-everybody-over-tls", "policies-trust-somebody",
           aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(allow(
               Principal="*", Condition={"Bool": {"aws:SecureTransport": "true"}})))),
    attack("bucket-for-everybody-but-one", "policies-trust-somebody",
           aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(allow(
               Principal="*", Condition={"StringNotEquals": {"aws:PrincipalAccount": "1"}})))),
    attack("bucket-for-every-address", "policies-trust-somebody",
           aws("s3/bucketPolicy:BucketPolicy", bucket="b", policy=document(allow(
               Principal="*", Condition={"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}})))),
    attack("queue-for-everybody", "policies-trust-somebody",
           aws("sqs/queue:Queue", policy=document(allow(Action="sqs:SendMessage", Principal="*")))),
    attack("administrator-in-a-role", "nobody-is-administrator",
           role(managedPolicyArns=["arn:aws:iam::aws:policy/AdministratorAccess"])),
    attack("administrator-by-attachment", "nobody-is-administrator",
           aws("iam/rolePolicyAttachment:RolePolicyAttachment", role="r",
               policyArn="arn:aws-cn:iam::aws:policy/AdministratorAccess")),
    attack("function-for-everybody", "policies-trust-somebody",
           aws("lambda/permission:Permission", function="f", action="lambda:InvokeFunction", principal="*")),
    attack("google-service-for-everybody", "google-roles-are-narrow",
           gcp("cloudrunv2/serviceIamMember:ServiceIamMember", name="s", role="roles/run.invoker", member="allUsers")),
    attack("secret-in-a-task", "secrets-are-not-in-the-environment",
           Declared("aws:ecs/taskDefinition:TaskDefinition", {"tags": TAGS, "family": "f", "containerDefinitions": json.dumps(
               [{"name": "a", "image": IMAGE, "environment": [{"name": "API_TOKEN", "value": "hunter2"}]}])})),
    attack("keys-of-a-user", "users-have-no-keys", aws("iam/accessKey:AccessKey", user="ada")),
    attack("google-owner", "google-roles-are-narrow",
           gcp("projects/iAMMember:IAMMember", project="p", role="roles/owner", member="user:a@example.com")),
    attack("google-policy-in-one-piece", "google-roles-are-narrow",
           gcp("projects/iAMPolicy:IAMPolicy", project="p", policyData=json.dumps(
               {"bindings": [{"role": "roles/editor", "members": ["user:a@example.com"]}]}))),
    attack("google-key", "service-accounts-have-no-keys", gcp("serviceaccount/key:Key", serviceAccountId="a")),
    attack("rbac-of-everything", "rbac-names-what-it-allows",
           k8s("rbac.authorization.k8s.io/v1:ClusterRole",
               rules=[{"apiGroups": ["*"], "resources": ["pods"], "verbs": ["get", "*"]}])),
    attack("rbac-by-an-old-version", "rbac-names-what-it-allows",
           k8s("rbac.authorization.k8s.io/v1beta1:ClusterRole",
               rules=[{"apiGroups": [""], "resources": ["*"], "verbs": ["get"]}])),
    attack("cluster-admin", "nobody-is-cluster-admin",
           k8s("rbac.authorization.k8s.io/v1:RoleBinding", roleRef={"kind": "ClusterRole", "name": "cluster-admin"},
               subjects=[{"kind": "ServiceAccount", "name": "a"}])),
    attack("bound-to-all-service-accounts", "nobody-is-cluster-admin",
           k8s("rbac.authorization.k8s.io/v1:ClusterRoleBinding", roleRef={"kind": "ClusterRole", "name": "view"},
               subjects=[{"kind": "Group", "name": "system:serviceaccounts"}])),
    attack("secret-in-cloud-run", "secrets-are-not-in-the-environment",
           gcp("cloudrunv2/service:Service", location="europe-west4", labels=TAGS, template={"containers": [
               {"image": IMAGE, "envs": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]})),
    attack("secret-in-old-cloud-run", "secrets-are-not-in-the-environment",
           gcp("cloudrun/service:Service", location="europe-west4", template={"spec": {"containers": [
               {"image": IMAGE, "envs": [{"name": "DB_PASSWORD", "value": "hunter2"}]}]}})),
    attack("secret-in-a-pod", "secrets-are-not-in-the-environment",
           pods(env=[{"name": "apiKey", "value": "hunter2"}])),
    attack("secret-in-an-init-container", "secrets-are-not-in-the-environment",
           pods(pod={"initContainers": [{**CONTAINER, "env": [{"name": "TOKEN", "value": "hunter2"}]}]})),
    attack("secret-that-the-engine-hides", "secrets-are-not-in-the-environment",
           aws("lambda/function:Function", role="r", environment={"variables": {"API_KEY": secret("hunter2")}})),
)  # fmt: skip

NETWORK = (
    attack("ssh-in-a-group", "ports-are-not-open-to-the-world", ingress(cidrBlocks=["0.0.0.0/0"])),
    attack("ssh-by-a-rule-of-its-own", "ports-are-not-open-to-the-world",
           aws("vpc/securityGroupIngressRule:SecurityGroupIngressRule", securityGroupId="sg-1", ipProtocol="tcp",
               fromPort=22, toPort=22, cidrIpv4="0.0.0.0/0")),
    attack("ssh-by-an-older-rule", "ports-are-not-open-to-the-world",
           aws("ec2/securityGroupRule:SecurityGroupRule", securityGroupId="sg-1", type="ingress", protocol="tcp",
               fromPort=22, toPort=22, ipv6CidrBlocks=["::/0"])),
    attack("world-in-two-halves", "ports-are-not-open-to-the-world",
           ingress(cidrBlocks=["0.0.0.0/1", "128.0.0.0/1"])),
    attack("world-spelled-otherwise", "ports-are-not-open-to-the-world", ingress(ipv6CidrBlocks=["0:0:0:0:0:0:0:0/0"])),
    attack("world-with-host-bits", "ports-are-not-open-to-the-world", ingress(cidrBlocks=["10.1.2.3/0"])),
    attack("range-from-443", "ports-are-not-open-to-the-world",
           ingress(fromPort=443, toPort=65535, cidrBlocks=["0.0.0.0/0"])),
    attack("all-protocols-as-443", "ports-are-not-open-to-the-world",
           ingress(protocol="ALL", fromPort=443, toPort=443, cidrBlocks=["0.0.0.0/0"])),
    attack("ssh-in-the-default-group", "ports-are-not-open-to-the-world",
           Declared("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", {"vpcId": "v", "tags": TAGS, "ingress": [
               {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]}]})),
    attack("firewall-in-the-wrong-case", "firewalls-are-not-open-to-the-world",
           gcp("compute/firewall:Firewall", network="n", direction="ingress", sourceRanges=["0.0.0.0/0"],
               allows=[{"protocol": "tcp", "ports": ["22"]}])),
    attack("firewall-in-two-halves", "firewalls-are-not-open-to-the-world",
           gcp("compute/firewall:Firewall", network="n", sourceRanges=["0.0.0.0/1", "128.0.0.0/1"],
               allows=[{"protocol": "tcp", "ports": ["22"]}])),
    attack("plain-listener", "listeners-speak-tls",
           aws("lb/listener:Listener", tags=TAGS, loadBalancerArn="a", port=80, defaultActions=[{"type": "forward"}])),
    attack("node-port", "services-are-not-open-to-the-world", service(type="NodePort", ports=[{"port": 80}])),
    attack("balancer-for-all", "services-are-not-open-to-the-world",
           service(type="LoadBalancer", loadBalancerSourceRanges=["0.0.0.0/0"])),
    attack("balancer-with-a-misleading-note", "services-are-not-open-to-the-world",
           service(type="LoadBalancer", annotations={"example.com/internal": "true"})),
    attack("service-of-the-core-group", "services-are-not-open-to-the-world",
           k8s("v1:Service", spec={"type": "NodePort", "ports": [{"port": 80}]})),
    attack("service-by-a-patch", "services-are-not-open-to-the-world",
           k8s("core/v1:ServicePatch", spec={"type": "NodePort"})),
    attack("service-on-outside-addresses", "services-are-not-open-to-the-world",
           service(type="ClusterIP", externalIPs=["203.0.113.7"])),
    attack("ingress-with-a-misleading-note", "ingresses-speak-tls",
           k8s("networking.k8s.io/v1:Ingress", metadata={"annotations": {"example.com/certificate": "none"}}, spec={})),
    attack("plain-ingress", "ingresses-speak-tls",
           k8s("networking.k8s.io/v1:Ingress", metadata={"annotations": {"note": "no certificate"}}, spec={})),
    attack("open-function-url", "function-urls-ask-who",
           aws("lambda/functionUrl:FunctionUrl", functionName="f", authorizationType="NONE")),
    attack("public-eks", "eks-endpoint-is-private",
           aws("eks/cluster:Cluster", roleArn="r", vpcConfig={"subnetIds": ["s"], "endpointPublicAccess": True})),
)  # fmt: skip

MACHINES = (
    attack("imdsv1-by-instance", "metadata-asks-for-tokens",
           aws("ec2/instance:Instance", **{**INSTANCE, "metadataOptions": {"httpTokens": "optional"}})),
    attack("imdsv1-by-launch-configuration", "metadata-asks-for-tokens",
           Declared("aws:ec2/launchConfiguration:LaunchConfiguration", {"imageId": "ami-1", "instanceType": "g6.xlarge"})),
    attack("imdsv1-by-spot-request", "metadata-asks-for-tokens",
           aws("ec2/spotInstanceRequest:SpotInstanceRequest", **{**INSTANCE, "metadataOptions": {}})),
    attack("machine-in-a-raw-instance", "machines-are-allowed",
           aws("ec2/instance:Instance", **{**INSTANCE, "instanceType": "x2idn.32xlarge"})),
    attack("machine-in-upper-case", "machines-are-allowed",
           aws("ec2/instance:Instance", **{**INSTANCE, "instanceType": "G6.XLARGE"})),
    attack("machine-in-a-list", "machines-are-allowed",
           Declared("aws:eks/nodeGroup:NodeGroup", {**GROUP, "instanceTypes": ["g6.xlarge", "p5e.48xlarge"]})),
    attack("machine-behind-a-wish", "machines-are-allowed",
           aws("ec2/launchTemplate:LaunchTemplate", metadataOptions={"httpTokens": "required"},
               instanceRequirements={"vcpuCount": {"min": 96}, "memoryMib": {"min": 1}})),
    attack("machine-of-sagemaker", "machines-are-allowed",
           Declared("aws:sagemaker/endpointConfiguration:EndpointConfiguration", {"tags": TAGS, "productionVariants": [
               {"modelName": "m", "instanceType": "ml.p5e.48xlarge", "initialInstanceCount": 4}]})),
    attack("machine-of-batch", "machines-are-allowed",
           Declared("aws:batch/computeEnvironment:ComputeEnvironment", {"tags": TAGS, "type": "MANAGED",
               "computeResources": {"instanceTypes": ["p5e.48xlarge"], "maxVcpus": 960}})),
    attack("machine-inside-a-gke-cluster", "machines-are-allowed",
           gcp("container/cluster:Cluster", location="europe-west4", nodePools=[
               {"name": "p", "nodeConfig": {"machineType": "a3-megagpu-8g"}}])),
    attack("machines-of-a-fleet", "machines-are-priced",
           Declared("aws:ec2/fleet:Fleet", {"tags": TAGS, "targetCapacitySpecification": {"totalTargetCapacity": 1000},
               "launchTemplateConfig": {"overrides": [{"instanceType": "g6.xlarge"}]}})),
    attack("machines-of-a-managed-group", "machines-are-priced",
           gcp("compute/regionInstanceGroupManager:RegionInstanceGroupManager", region="europe-west4", targetSize=1000,
               versions=[{"instanceTemplate": "t"}])),
    attack("machines-of-an-endpoint", "machines-are-priced",
           Declared("aws:sagemaker/endpointConfiguration:EndpointConfiguration", {"tags": TAGS, "productionVariants": [
               {"modelName": "m", "instanceType": "ml.g6.xlarge", "initialInstanceCount": 1000}]})),
    attack("karpenter-of-any-type", "machines-are-allowed",
           k8s("karpenter.sh/v1:NodePool", spec={"template": {"spec": {"requirements": [
               {"key": "karpenter.k8s.aws/instance-family", "operator": "In", "values": ["p5e"]}]}}})),
    attack("karpenter-of-an-old-version", "machines-are-allowed",
           k8s("karpenter.sh/v1beta1:NodePool", spec={"template": {"spec": {"requirements": []}}})),
    attack("raw-node-group", "gpus-within-quota",
           Declared("aws:eks/nodeGroup:NodeGroup", {**GROUP, "tags": {**TAGS, "app": "raw-node-group"},
               "scalingConfig": {"minSize": 0, "desiredSize": 0, "maxSize": 1_000_000}})),
    attack("node-group-without-a-limit", "gpus-within-quota",
           Declared("aws:eks/nodeGroup:NodeGroup", {**GROUP, "scalingConfig": {"minSize": 0, "desiredSize": 0, "maxSize": UNKNOWN}})),
    attack("costly", "app-cost-within-budget",
           Declared("fairweather:index:AppBudget", {"owner": "t", "portfolio": "lumen", "app": "costly", "monthly_budget_usd": 900.0}),
           replace(aws("ec2/instance:Instance", **{**INSTANCE, "instanceType": "g6.12xlarge", "tags": {**TAGS, "app": "costly"}}), suffix="raw")),
    attack("without-a-budget", "app-cost-within-budget",
           aws("ec2/instance:Instance", **{**INSTANCE, "tags": {**TAGS, "app": "without-a-budget"}})),
    *(
        attack(name, "app-cost-within-budget",
               Declared("fairweather:index:AppBudget", {"owner": "t", "portfolio": "lumen", "app": name, "monthly_budget_usd": usd}))
        for name, usd in (("budget-below-zero", -5.0), ("budget-nan", "NaN"), ("budget-infinite", "inf"),
                          ("budget-of-none", 0), ("budget-that-is-true", True), ("budget-unknown", UNKNOWN))
    ),
)  # fmt: skip

RESIDENCY = (
    attack("health-at-home-region", "data-stays-where-it-may", of("health", aws("s3/bucket:Bucket"))),
    attack("health-by-provider", "data-stays-where-it-may", at("us-west-2", of("health", aws("s3/bucket:Bucket")))),
    attack("health-by-its-own-region", "data-stays-where-it-may",
           at("eu-west-1", of("health", aws("dynamodb/table:Table", region="us-west-2", hashKey="id")))),
    attack("photos-in-asia", "data-stays-where-it-may", at("ap-south-1", of("photos", aws("s3/bucket:Bucket")))),
    attack("health-by-replica", "data-stays-where-it-may",
           at("eu-west-1", of("health", aws("dynamodb/table:Table", hashKey="id", replicas=[{"regionName": "us-east-1"}])))),
    attack("health-by-secret-replica", "data-stays-where-it-may",
           at("eu-west-1", of("health", aws("secretsmanager/secret:Secret", replicas=[{"region": "ap-south-1"}])))),
    attack("health-on-google", "data-stays-where-it-may",
           gcp("storage/bucket:Bucket", location="EUROPE-WEST4", uniformBucketLevelAccess=True,
               publicAccessPrevention="enforced", labels={**TAGS, "app": "health"})),
    attack("health-by-a-google-cdn", "data-stays-where-it-may",
           replace(gcp("compute/backendService:BackendService", enableCdn=True), options={"parent": "health"})),
    attack("photos-by-google-replica", "data-stays-where-it-may",
           gcp("secretmanager/secret:Secret", secretId="s", labels={**TAGS, "app": "photos"}, replication={
               "userManaged": {"replicas": [{"location": "asia-south1"}]}})),
)  # fmt: skip

OPAQUE = (
    attack("cloudformation", "resources-can-be-judged",
           Declared("aws:cloudformation/stack:Stack", {"tags": TAGS, "templateBody": "{}"})),
    attack("cloud-control", "resources-can-be-judged",
           Declared("aws:cloudcontrol/resource:Resource", {"typeName": "AWS::EC2::Instance", "desiredState": "{}"})),
    attack("another-provider-of-the-same-cloud", "resources-can-be-judged",
           Declared("aws-native:ec2:Instance", {"instanceType": "p5e.48xlarge"})),
    attack("script", "resources-can-be-judged", Declared("command:local:Command", {"create": "aws s3 mb s3://b"})),
    attack("chart-of-another-repository", "resources-can-be-judged",
           Declared("kubernetes:helm.sh/v3:Release", {"chart": "keda", "version": "2.18.0",
                    "repositoryOpts": {"repo": "https://evil.io/kedacore.github.io/charts"}})),
    attack("chart-of-any-version", "resources-can-be-judged",
           Declared("kubernetes:helm.sh/v3:Release", {"chart": "keda",
                    "repositoryOpts": {"repo": "https://kedacore.github.io/charts"}})),
    attack("helm-release", "resources-can-be-judged",
           Declared("kubernetes:helm.sh/v3:Release", {"chart": "anything", "namespace": "serving"})),
)  # fmt: skip

ATTACKS = (
    *TAGGING, *STORAGE, *ACCESS, *NETWORK, *MACHINES, *RESIDENCY, *OPAQUE
)  # fmt: skip
