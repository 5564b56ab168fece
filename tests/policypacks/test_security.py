"""Each security rule stops what it is for, lets the mended resource pass, and never crashes."""

from __future__ import annotations

import json

import pytest
import rules_doc
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pricing.declared import UNKNOWN, of_preview
from samples import state

RULES = {
    rule.name: rule
    for rule in rules_doc.shipped()
    if (rule.subject or rule.check.__module__).startswith("security.")
}
IMAGE = f"registry.example.com/camera@sha256:{'b' * 64}"


def policy(**statement):
    return json.dumps({"Statement": [{"Effect": "Allow", **statement}]})


def pod(container=None, **spec):
    """A deployment whose one container is as it should be, but for what is said."""
    safe = {
        "name": "main",
        "image": IMAGE,
        "resources": {"limits": {"memory": "1Gi"}},
        "securityContext": {
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    safe.update(container or {})
    return {
        "metadata": {"namespace": "camera"},
        "spec": {"template": {"spec": {"containers": [safe], **spec}}},
    }


def context(**changes):
    safe = {
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return {"securityContext": {**safe, **changes}}


def role(**rule):
    return {"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], **rule}]}


BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
CLUSTER, GKE = "aws:eks/cluster:Cluster", "gcp:container/cluster:Cluster"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
CDN, LISTENER = "aws:cloudfront/distribution:Distribution", "aws:lb/listener:Listener"
POOL, SQL = "gcp:container/nodePool:NodePool", "gcp:sql/databaseInstance:DatabaseInstance"
DEPLOYMENT, SERVICE = "kubernetes:apps/v1:Deployment", "kubernetes:core/v1:Service"
RBAC = "kubernetes:rbac.authorization.k8s.io/v1"
TLS = "ELBSecurityPolicy-TLS13-1-2-2021-06"

CASES = [  # rule, type, what it stops, what passes
    ("buckets-block-public-access", "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
     {**dict.fromkeys(BLOCKS, True), "ignorePublicAcls": False}, dict.fromkeys(BLOCKS, True)),
    ("buckets-are-not-public-by-acl", "aws:s3/bucketAcl:BucketAcl", {"acl": "public-read"}, {"acl": "private"}),
    ("buckets-are-not-public-by-acl", "aws:s3/bucket:Bucket", {"acl": "authenticated-read"}, {}),
    ("disks-are-encrypted", "aws:ebs/volume:Volume", {"size": 8}, {"encrypted": True}),
    ("disks-are-encrypted", TEMPLATE, {"blockDeviceMappings": [{"ebs": {"encrypted": "true"}}, {"ebs": {}}]},
     {"blockDeviceMappings": [{"ebs": {"encrypted": "true"}}]}),
    ("databases-are-encrypted", "aws:rds/instance:Instance", {"storageEncrypted": False}, {"storageEncrypted": True}),
    ("databases-are-not-public", "aws:rds/instance:Instance", {"publiclyAccessible": True}, {}),
    ("caches-encrypt-in-transit", "aws:elasticache/replicationGroup:ReplicationGroup", {},
     {"transitEncryptionEnabled": True}),
    ("topics-are-encrypted", "aws:sns/topic:Topic", {"kmsMasterKeyId": ""}, {"kmsMasterKeyId": "alias/mine"}),
    ("keys-rotate", "aws:kms/key:Key", {}, {"enableKeyRotation": True}),
    ("registries-are-immutable-and-scanned", "aws:ecr/repository:Repository", {"imageTagMutability": "MUTABLE"},
     {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"scanOnPush": True}}),
    ("metadata-asks-for-tokens", TEMPLATE, {"metadataOptions": {"httpTokens": "optional"}},
     {"metadataOptions": {"httpTokens": "required"}}),
    ("metadata-asks-for-tokens", "aws:ec2/instance:Instance", {}, {"metadataOptions": {"httpTokens": "required"}}),
    ("pods-do-not-reach-metadata", TEMPLATE, {"metadataOptions": {"httpPutResponseHopLimit": 2.0}},
     {"metadataOptions": {"httpPutResponseHopLimit": 1.0}}),
    ("machines-have-no-public-address", "aws:ec2/instance:Instance", {"associatePublicIpAddress": True}, {}),
    ("ports-are-not-open-to-the-world", "aws:ec2/securityGroup:SecurityGroup",
     {"ingress": [{"protocol": "tcp", "fromPort": 22.0, "toPort": 22.0, "cidrBlocks": ["0.0.0.0/0"]}]},
     {"ingress": [{"protocol": "tcp", "fromPort": 443.0, "toPort": 443.0, "cidrBlocks": ["0.0.0.0/0"]}]}),
    ("ports-are-not-open-to-the-world", "aws:ec2/securityGroup:SecurityGroup",
     {"ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "ipv6CidrBlocks": ["::/0"]}]},
     {"ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["10.0.0.0/8"]}]}),
    ("ports-are-not-open-to-the-world", "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
     {"cidrIpv4": "0.0.0.0/0", "fromPort": 0, "toPort": 65535, "ipProtocol": "tcp"},
     {"cidrIpv4": "10.0.0.0/8", "fromPort": 0, "toPort": 65535, "ipProtocol": "tcp"}),
    ("ports-are-not-open-to-the-world", "aws:ec2/securityGroupRule:SecurityGroupRule",
     {"type": "ingress", "fromPort": 80, "toPort": 443, "cidrBlocks": ["0.0.0.0/0"], "protocol": "tcp"},
     {"type": "egress", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"], "protocol": "-1"}),
    ("listeners-speak-tls", LISTENER, {"protocol": "HTTP", "defaultActions": [{"type": "forward"}]},
     {"protocol": "HTTP", "defaultActions": [{"type": "redirect", "redirect": {"protocol": "HTTPS"}}]}),
    ("listeners-speak-tls", LISTENER, {"protocol": "HTTPS", "sslPolicy": "ELBSecurityPolicy-2016-08"},
     {"protocol": "HTTPS", "sslPolicy": TLS}),
    ("load-balancers-drop-bad-headers", "aws:lb/loadBalancer:LoadBalancer", {}, {"dropInvalidHeaderFields": True}),
    ("cdn-viewers-use-https", CDN, {"defaultCacheBehavior": {"viewerProtocolPolicy": "allow-all"}},
     {"defaultCacheBehavior": {"viewerProtocolPolicy": "https-only"}}),
    ("cdn-origins-use-https", CDN, {"origins": [{"customOriginConfig": {"originProtocolPolicy": "http-only"}}]},
     {"origins": [{"customOriginConfig": {"originProtocolPolicy": "https-only"}}]}),
    ("cdn-origins-use-tls-1-2", CDN,
     {"origins": [{"customOriginConfig": {"originSslProtocols": ["TLSv1", "TLSv1.2"]}}]},
     {"origins": [{"customOriginConfig": {"originSslProtocols": ["TLSv1.2"]}}]}),
    ("cdn-origins-use-tls-1-2", CDN,
     {"viewerCertificate": {"acmCertificateArn": "a", "minimumProtocolVersion": "TLSv1"}},
     {"viewerCertificate": {"acmCertificateArn": "a", "minimumProtocolVersion": "TLSv1.2_2021"}}),
    ("eks-endpoint-is-private", CLUSTER, {"vpcConfig": {}}, {"vpcConfig": {"endpointPublicAccess": False}}),
    ("eks-endpoint-is-private", CLUSTER, {"vpcConfig": {"publicAccessCidrs": ["0.0.0.0/0"]}},
     {"vpcConfig": {"publicAccessCidrs": ["198.51.100.0/24"]}}),
    ("eks-secrets-are-encrypted", CLUSTER, {}, {"encryptionConfig": {"provider": {"keyArn": "arn:aws:kms:key"}}}),
    ("eks-writes-audit-logs", CLUSTER, {"enabledClusterLogTypes": ["api"]},
     {"enabledClusterLogTypes": ["api", "audit", "authenticator"]}),
    ("function-urls-ask-who", "aws:lambda/functionUrl:FunctionUrl", {"authorizationType": "NONE"},
     {"authorizationType": "AWS_IAM"}),
    ("trails-cover-all-regions-and-are-validated", "aws:cloudtrail/trail:Trail", {"isMultiRegionTrail": True},
     {"isMultiRegionTrail": True, "enableLogFileValidation": True}),
    ("gke-nodes-are-private", GKE, {}, {"privateClusterConfig": {"enablePrivateNodes": True}}),
    ("gke-endpoint-is-private", GKE, {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "0.0.0.0/0"}]}},
     {"masterAuthorizedNetworksConfig": {"cidrBlocks": [{"cidrBlock": "10.0.0.0/8"}]}}),
    ("gke-endpoint-is-private", GKE, {}, {"privateClusterConfig": {"enablePrivateEndpoint": True}}),
    ("gke-has-workload-identity", GKE, {}, {"workloadIdentityConfig": {"workloadPool": "p.svc.id.goog"}}),
    ("gke-secrets-are-encrypted", GKE, {"databaseEncryption": {"state": "DECRYPTED"}},
     {"databaseEncryption": {"state": "ENCRYPTED"}}),
    ("gke-has-no-old-ways-in", GKE, {"enableLegacyAbac": True}, {}),
    ("gke-nodes-are-shielded", GKE, {"enableShieldedNodes": False}, {"enableShieldedNodes": True}),
    ("gke-nodes-have-an-account-of-their-own", POOL, {"nodeConfig": {"serviceAccount": "default"}},
     {"nodeConfig": {"serviceAccount": "nodes@p.iam.gserviceaccount.com"}}),
    ("gke-nodes-hide-their-metadata", POOL, {}, {"nodeConfig": {"workloadMetadataConfig": {"mode": "GKE_METADATA"}}}),
    ("gcs-access-is-uniform-and-not-public", "gcp:storage/bucket:Bucket", {"uniformBucketLevelAccess": True},
     {"uniformBucketLevelAccess": True, "publicAccessPrevention": "enforced"}),
    ("sql-has-no-public-address", SQL, {"settings": {"ipConfiguration": {}}},
     {"settings": {"ipConfiguration": {"ipv4Enabled": False}}}),
    ("sql-speaks-tls", SQL, {}, {"settings": {"ipConfiguration": {"sslMode": "ENCRYPTED_ONLY"}}}),
    ("firewalls-are-not-open-to-the-world", "gcp:compute/firewall:Firewall",
     {"allows": [{"protocol": "tcp", "ports": ["22"]}]},
     {"allows": [{"protocol": "tcp", "ports": ["22"]}], "sourceRanges": ["10.0.0.0/8"]}),
    ("firewalls-are-not-open-to-the-world", "gcp:compute/firewall:Firewall",
     {"allows": [{"protocol": "all"}], "sourceRanges": ["0.0.0.0/0"]},
     {"allows": [{"protocol": "tcp", "ports": ["443"]}], "sourceRanges": ["0.0.0.0/0"]}),
    ("crypto-keys-rotate", "gcp:kms/cryptoKey:CryptoKey", {}, {"rotationPeriod": "7776000s"}),
    ("service-accounts-have-no-keys", "gcp:serviceaccount/key:Key", {"serviceAccountId": "x"}, None),
    ("subnets-keep-flow-logs", "gcp:compute/subnetwork:Subnetwork", {}, {"logConfig": {}}),
    ("pods-are-not-privileged", DEPLOYMENT, pod(hostNetwork=True), pod()),
    ("pods-are-not-privileged", DEPLOYMENT, pod(context(privileged=True)), pod()),
    ("pods-are-not-privileged", DEPLOYMENT, pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]),
     pod(volumes=[{"name": "work", "emptyDir": {}}])),
    ("pods-run-as-nobody-special", DEPLOYMENT, pod(context(runAsNonRoot=None)), pod()),
    ("pods-run-as-nobody-special", DEPLOYMENT, pod(context(runAsUser=0)), pod(context(runAsUser=10001.0))),
    ("pods-run-as-nobody-special", DEPLOYMENT, pod(context(allowPrivilegeEscalation=True)), pod()),
    ("pods-drop-capabilities", DEPLOYMENT, pod(context(capabilities={"drop": ["ALL"], "add": ["SYS_ADMIN"]})),
     pod(context(capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}))),
    ("pods-drop-capabilities", DEPLOYMENT, pod(context(capabilities={})), pod()),
    ("pods-filter-system-calls", DEPLOYMENT, pod(context(seccompProfile={"type": "Unconfined"})), pod()),
    ("pods-limit-memory", DEPLOYMENT, pod({"resources": {"requests": {"memory": "1Gi"}}}), pod()),
    ("images-come-from-known-registries", DEPLOYMENT, pod({"image": f"evil.example.net/x@sha256:{'b' * 64}"}), pod()),
    ("images-come-from-known-registries", DEPLOYMENT,
     pod({"image": f"registry.example.com.evil.net/x@sha256:{'b' * 64}"}), pod()),
    ("namespaces-enforce-pod-security", "kubernetes:core/v1:Namespace",
     {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
     {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}),
    ("services-are-not-open-to-the-world", SERVICE, {"spec": {"type": "NodePort"}}, {"spec": {"type": "ClusterIP"}}),
    ("services-are-not-open-to-the-world", SERVICE, {"spec": {"type": "LoadBalancer"}},
     {"spec": {"type": "LoadBalancer"},
      "metadata": {"annotations": {"networking.gke.io/load-balancer-type": "Internal"}}}),
    ("ingresses-speak-tls", "kubernetes:networking.k8s.io/v1:Ingress", {"spec": {"rules": []}},
     {"spec": {"tls": [{"secretName": "mine"}]}}),
    ("service-accounts-mount-no-token", "kubernetes:core/v1:ServiceAccount", {},
     {"automountServiceAccountToken": False}),
    ("policies-name-what-they-allow", "aws:iam/policy:Policy", {"policy": policy(Action="s3:*", Resource="*")},
     {"policy": policy(Action="s3:*", Resource="arn:aws:s3:::mine/*")}),
    ("policies-name-what-they-allow", "aws:iam/rolePolicy:RolePolicy",
     {"policy": policy(Action=["*"], Resource="arn:aws:s3:::mine")},
     {"policy": policy(Action="s3:Get*", Resource="*")}),
    ("policies-name-what-they-allow", "aws:iam/policy:Policy", {"policy": policy(NotAction="iam:*", Resource="*")},
     {"policy": json.dumps({"Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})}),
    ("policies-trust-somebody", "aws:iam/role:Role", {"assumeRolePolicy": policy(Principal="*")},
     {"assumeRolePolicy": policy(Principal={"Service": "eks.amazonaws.com"})}),
    ("policies-trust-somebody", "aws:iam/role:Role",
     {"assumeRolePolicy": policy(Principal={"Federated": "arn:aws:iam::1:oidc-provider/token.actions"})},
     {"assumeRolePolicy": policy(Principal={"Federated": "arn"}, Condition={"StringEquals": {"sub": "repo"}})}),
    ("policies-trust-somebody", "aws:s3/bucketPolicy:BucketPolicy",
     {"policy": {"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "s3:GetObject"}]}},
     {"policy": policy(Principal={"AWS": "*"}, Condition={"StringEquals": {"aws:PrincipalOrgID": "o"}})}),
    ("policies-trust-somebody", "aws:lambda/permission:Permission", {"principal": "*"},
     {"principal": "*", "sourceAccount": "123456789012"}),
    ("nobody-is-administrator", "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
     {"policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
     {"policyArn": "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"}),
    ("nobody-is-administrator", "aws:iam/role:Role",
     {"managedPolicyArns": ["arn:aws:iam::aws:policy/job-function/PowerUserAccess"]}, {"managedPolicyArns": []}),
    ("users-have-no-keys", "aws:iam/accessKey:AccessKey", {"user": "ci"}, None),
    ("google-roles-are-narrow", "gcp:projects/iAMMember:IAMMember", {"role": "roles/editor", "member": "user:a@b.c"},
     {"role": "roles/artifactregistry.reader", "member": "user:a@b.c"}),
    ("google-roles-are-narrow", "gcp:storage/bucketIAMBinding:BucketIAMBinding",
     {"role": "roles/storage.objectViewer", "members": ["allUsers"]},
     {"role": "roles/storage.objectViewer", "members": ["user:a@b.c"]}),
    ("rbac-names-what-it-allows", f"{RBAC}:ClusterRole", role(verbs=["*"]), role()),
    ("rbac-names-what-it-allows", f"{RBAC}:Role", role(verbs=["get", "impersonate"]), role(verbs=["get", "list"])),
    ("nobody-is-cluster-admin", f"{RBAC}:ClusterRoleBinding", {"roleRef": {"name": "cluster-admin"}},
     {"roleRef": {"name": "view"}, "subjects": [{"kind": "Group", "name": "platform"}]}),
    ("nobody-is-cluster-admin", f"{RBAC}:RoleBinding",
     {"roleRef": {"name": "view"}, "subjects": [{"kind": "Group", "name": "system:authenticated"}]},
     {"roleRef": {"name": "view"}, "subjects": []}),
    ("secrets-are-not-in-the-environment", DEPLOYMENT, pod({"env": [{"name": "DB_PASSWORD", "value": "hunter2"}]}),
     pod({"env": [{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db"}}}]})),
    ("secrets-are-not-in-the-environment", "aws:lambda/function:Function",
     {"environment": {"variables": {"KEY": "AKIAABCDEFGHIJKLMNOP"}}},
     {"environment": {"variables": {"DB_SECRET_ARN": "arn:aws:secretsmanager:x", "MAX_TOKENS": "4096"}}}),
    ("secrets-are-not-in-the-environment", "gcp:cloudrunv2/service:Service",
     {"template": {"containers": [{"envs": [{"name": "API_KEY", "value": "abc"}]}]}},
     {"template": {"containers": [{"envs": [{"name": "MODEL_URI", "value": "s3://x"}]}]}}),
    ("secrets-are-not-in-the-environment", "aws:ecs/taskDefinition:TaskDefinition",
     {"containerDefinitions": json.dumps([{"environment": [{"name": "TOKEN", "value": "abc"}]}])},
     {"containerDefinitions": json.dumps([{"environment": [{"name": "MODE", "value": "abc"}]}])}),
]  # fmt: skip


def said(rule, *resources):
    return [found.message for found in RULES[rule].findings(of_preview(resources))]


@pytest.mark.parametrize(("rule", "kind", "bad", "good"), CASES)
def test_a_rule_stops_what_it_is_for_and_lets_the_mended_one_pass(rule, kind, bad, good):
    found = said(rule, state(kind, "it", bad))
    assert found
    assert all(message.startswith("it") and message.endswith(".") for message in found)
    if good is not None:
        assert said(rule, state(kind, "it", good)) == []


def test_every_security_rule_is_shown_to_stop_something():
    stack_rules = {"namespaces-deny-by-default"}
    assert {case[0] for case in CASES} | stack_rules == set(RULES)
    assert len(RULES) >= 30


def test_a_namespace_with_workloads_denies_by_default():
    workload = state(DEPLOYMENT, "camera", pod())
    policy_ = state(
        "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "deny",
        {
            "metadata": {"namespace": "camera"},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        },
    )
    [message] = said("namespaces-deny-by-default", workload)
    assert message.startswith("camera runs in camera, where no network policy denies by default")
    assert said("namespaces-deny-by-default", workload, policy_) == []
    elsewhere = {**policy_, "inputs": {**policy_["inputs"], "metadata": {"namespace": "voice"}}}
    assert said("namespaces-deny-by-default", workload, elsewhere)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_each_names_its_controls_its_severity_and_what_to_do(rule):
    found = RULES[rule]
    assert found.frameworks
    assert found.severity in {"low", "medium", "high", "critical"}
    assert found.remedy.endswith(".")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=6) | st.just(UNKNOWN),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def mangled(value, draw):
    """The same shape with one part replaced by anything."""
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: draw(JSON) if draw(st.booleans()) else mangled(value[key], draw)}
    if isinstance(value, list) and value:
        return [mangled(value[0], draw), *value[1:]]
    return draw(JSON)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_input_makes_a_rule_crash(data):
    rule, kind, bad, _ = data.draw(st.sampled_from(CASES))
    inputs = mangled(bad, data.draw) if bad else {}
    assume(isinstance(inputs, dict))
    assert all(said(rule, state(kind, "it", inputs)))


@pytest.mark.parametrize(
    ("rule", "kind", "inputs"),
    [
        ("keys-rotate", "aws:kms/key:Key", {"enableKeyRotation": UNKNOWN}),
        ("metadata-asks-for-tokens", TEMPLATE, {"metadataOptions": UNKNOWN}),
        ("eks-endpoint-is-private", CLUSTER, {"vpcConfig": {"publicAccessCidrs": UNKNOWN}}),
        ("listeners-speak-tls", LISTENER, {"protocol": "HTTPS", "sslPolicy": UNKNOWN}),
        ("policies-trust-somebody", "aws:iam/role:Role", {"assumeRolePolicy": UNKNOWN}),
        ("pods-run-as-nobody-special", DEPLOYMENT, pod(context(runAsNonRoot=UNKNOWN))),
    ],
)
def test_what_only_the_deployment_tells_is_judged_then(rule, kind, inputs):
    assert said(rule, state(kind, "it", inputs)) == []
