"""One example of each AWS type that moto holds, in the order in which they need each other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Bag = dict[str, Any]
World = dict[str, Bag]
"""Name -> outputs of what exists already."""
TAGS = {"app": "camera", "owner": "vision"}


def policy(action: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, **(more or {"Resource": "*"})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Example:
    """One resource, and a change that its type takes in place."""

    token: str
    inputs: Callable[[World], Bag]
    change: Bag = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its class, with the family where two families have it."""
        family, kind = self.token.split(":")[1].split("/")[0], self.token.split(":")[-1]
        return "ScalingPolicy" if family == "appautoscaling" and kind == "Policy" else kind


def example(token: str, inputs: Callable[[World], Bag], **change: Any) -> Example:
    return Example(f"aws:{token}", inputs, change)


TRUST = policy("sts:AssumeRole", Principal={"Service": "eks.amazonaws.com"})
SCALABLE = {
    "serviceNamespace": "lambda",
    "scalableDimension": "lambda:function:ProvisionedConcurrency",
    "resourceId": "function:moderation:live",
}
BEHAVIOUR = {
    "targetOriginId": "app",
    "viewerProtocolPolicy": "https-only",
    "allowedMethods": ["GET", "HEAD"],
    "cachedMethods": ["GET", "HEAD"],
    "compress": True,
    "cachePolicyId": "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
}
ORIGIN = {
    "originId": "app",
    "domainName": "camera.example.test",
    "customOriginConfig": {
        "httpPort": 80,
        "httpsPort": 443,
        "originProtocolPolicy": "https-only",
        "originSslProtocols": ["TLSv1.2"],
    },
}
ANSWER = {"contentType": "text/plain", "messageBody": "no such app", "statusCode": "404"}
NOTICE = {
    "comparisonOperator": "GREATER_THAN",
    "notificationType": "ACTUAL",
    "threshold": 80,
    "thresholdType": "PERCENTAGE",
}

EXAMPLES = (
    example(
        "iam/role:Role",
        lambda _: {"assumeRolePolicy": TRUST, "description": "nodes", "tags": TAGS},
        description="all nodes",
        tags={"app": "photos"},
    ),
    example(
        "iam/rolePolicy:RolePolicy",
        lambda w: {"role": w["Role"]["name"], "policy": policy("s3:GetObject")},
        policy=policy("s3:PutObject"),
    ),
    example(
        "iam/rolePolicyAttachment:RolePolicyAttachment",
        lambda w: {
            "role": w["Role"]["name"],
            "policyArn": "arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy",
        },
    ),
    example(
        "iam/policy:Policy",
        lambda _: {"policy": policy("s3:GetObject"), "tags": TAGS},
        policy=policy("s3:PutObject"),
        tags={"app": "photos"},
    ),
    example(
        "iam/instanceProfile:InstanceProfile",
        lambda w: {"role": w["Role"]["name"], "tags": TAGS},
        tags={"app": "photos"},
    ),
    example(
        "kms/key:Key",
        lambda _: {
            "description": "disks",
            "enableKeyRotation": True,
            "deletionWindowInDays": 30,
            "policy": policy("kms:*", Principal={"AWS": "*"}, Resource="*"),
            "tags": TAGS,
        },
        description="all disks",
        enableKeyRotation=False,
        tags={"app": "photos"},
    ),
    example(
        "sns/topic:Topic",
        lambda w: {"kmsMasterKeyId": w["Key"]["keyId"], "displayName": "spend", "tags": TAGS},
        displayName="alerts",
        tags={"app": "photos"},
    ),
    example(
        "sns/topicPolicy:TopicPolicy",
        lambda w: {"arn": w["Topic"]["arn"], "policy": policy("sns:Publish", Principal="*")},
        policy=policy("sns:Publish", Principal={"AWS": "*"}),
    ),
    example(
        "sns/topicSubscription:TopicSubscription",
        lambda w: {
            "topic": w["Topic"]["arn"],
            "protocol": "email",
            "endpoint": "finops@example.test",
        },
    ),
    example(
        "budgets/budget:Budget",
        lambda w: {
            "name": "camera",
            "budgetType": "COST",
            "timeUnit": "MONTHLY",
            "limitAmount": "5500",
            "limitUnit": "USD",
            "costFilters": [{"name": "TagKeyValue", "values": ["user:app$camera"]}],
            "notifications": [
                {**NOTICE, "subscriberSnsTopicArns": [w["Topic"]["arn"]]},
                {
                    **NOTICE,
                    "notificationType": "FORECASTED",
                    "threshold": 100,
                    "subscriberEmailAddresses": ["finops@example.test"],
                },
            ],
            "tags": TAGS,
        },
        limitAmount="6000",
    ),
    example(
        "cloudwatch/logGroup:LogGroup",
        lambda _: {"name": "/aws/eks/x", "retentionInDays": 90, "tags": TAGS},
        retentionInDays=30,
        tags={"app": "photos"},
    ),
    example("s3/bucket:Bucket", lambda _: {"tags": TAGS}, tags={"app": "photos"}),
    example(
        "s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        lambda w: {"bucket": w["Bucket"]["bucket"], "blockPublicAcls": True},
        blockPublicAcls=False,
    ),
    example(
        "s3/bucketVersioning:BucketVersioning",
        lambda w: {
            "bucket": w["Bucket"]["bucket"],
            "versioningConfiguration": {"status": "Enabled"},
        },
        versioningConfiguration={"status": "Suspended"},
    ),
    example(
        "sqs/queue:Queue",
        lambda _: {"messageRetentionSeconds": 3600, "tags": TAGS},
        messageRetentionSeconds=7200,
        tags={"app": "photos"},
    ),
    example(
        "dynamodb/table:Table",
        lambda _: {
            "hashKey": "id",
            "billingMode": "PAY_PER_REQUEST",
            "attributes": [{"name": "id", "type": "S"}],
            "tags": TAGS,
        },
        tags={"app": "photos"},
    ),
    example(
        "ec2/vpc:Vpc",
        lambda _: {
            "cidrBlock": "10.0.0.0/16",
            "enableDnsHostnames": True,
            "enableDnsSupport": True,
            "tags": TAGS,
        },
        enableDnsHostnames=False,
        tags={"app": "photos"},
    ),
    example(
        "ec2/subnet:Subnet",
        lambda w: {
            "vpcId": w["Vpc"]["id"],
            "cidrBlock": "10.0.0.0/20",
            "availabilityZone": "us-east-1a",
            "mapPublicIpOnLaunch": False,
            "tags": TAGS,
        },
        mapPublicIpOnLaunch=True,
        tags={"app": "photos"},
    ),
    example(
        "ec2/internetGateway:InternetGateway",
        lambda w: {"vpcId": w["Vpc"]["id"], "tags": TAGS},
        tags={"app": "photos"},
    ),
    example("ec2/eip:Eip", lambda _: {"domain": "vpc", "tags": TAGS}, tags={"app": "photos"}),
    example(
        "ec2/natGateway:NatGateway",
        lambda w: {
            "allocationId": w["Eip"]["allocationId"],
            "subnetId": w["Subnet"]["id"],
            "tags": TAGS,
        },
        tags={"app": "photos"},
    ),
    example(
        "ec2/routeTable:RouteTable",
        lambda w: {
            "vpcId": w["Vpc"]["id"],
            "routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": w["InternetGateway"]["id"]}],
            "tags": TAGS,
        },
        routes=[],
        tags={"app": "photos"},
    ),
    example(
        "ec2/routeTableAssociation:RouteTableAssociation",
        lambda w: {"subnetId": w["Subnet"]["id"], "routeTableId": w["RouteTable"]["id"]},
    ),
    example(
        "ec2/securityGroup:SecurityGroup",
        lambda w: {
            "description": "load balancer",
            "vpcId": w["Vpc"]["id"],
            "ingress": [
                {
                    "description": "clients",
                    "protocol": "tcp",
                    "fromPort": 443,
                    "toPort": 443,
                    "cidrBlocks": ["0.0.0.0/0"],
                }
            ],
            "egress": [
                {"protocol": "tcp", "fromPort": 8080, "toPort": 8080, "cidrBlocks": ["10.0.0.0/16"]}
            ],
            "tags": TAGS,
        },
        egress=[],
        tags={"app": "photos"},
    ),
    example(
        "ec2/launchTemplate:LaunchTemplate",
        lambda w: {
            "updateDefaultVersion": True,
            "instanceType": "g6.xlarge",
            "imageId": "resolve:ssm:/aws/service/eks/image_id",
            "userData": "Tm90aGluZw==",
            "vpcSecurityGroupIds": [w["SecurityGroup"]["id"]],
            "iamInstanceProfile": {"arn": w["InstanceProfile"]["arn"]},
            "metadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
            "blockDeviceMappings": [
                {
                    "deviceName": "/dev/xvda",
                    "ebs": {
                        "volumeSize": 200,
                        "volumeType": "gp3",
                        "encrypted": "true",
                        "deleteOnTermination": "true",
                        "kmsKeyId": w["Key"]["arn"],
                    },
                }
            ],
            "tagSpecifications": [
                {"resourceType": kind, "tags": TAGS}
                for kind in ("instance", "volume", "network-interface")
            ],
            "tags": TAGS,
        },
        instanceType="g6.2xlarge",
        tags={"app": "photos"},
    ),
    example(
        "ec2/instance:Instance",
        lambda w: {
            "ami": "ami-12c6146b",
            "instanceType": "g6.xlarge",
            "subnetId": w["Subnet"]["id"],
            "tags": TAGS,
        },
        tags={"app": "photos"},
    ),
    example(
        "ebs/volume:Volume",
        lambda _: {
            "availabilityZone": "us-east-1a",
            "size": 10,
            "type": "gp3",
            "encrypted": True,
            "tags": TAGS,
        },
        tags={"app": "photos"},
    ),
    example(
        "eks/cluster:Cluster",
        lambda w: {
            "version": "1.33",
            "roleArn": w["Role"]["arn"],
            "accessConfig": {"authenticationMode": "API"},
            "bootstrapSelfManagedAddons": False,
            "deletionProtection": False,
            "enabledClusterLogTypes": ["api", "audit"],
            "encryptionConfig": {
                "provider": {"keyArn": w["Key"]["arn"]},
                "resources": ["secrets"],
            },
            "vpcConfig": {
                "subnetIds": [w["Subnet"]["id"]],
                "endpointPrivateAccess": True,
                "endpointPublicAccess": True,
                "publicAccessCidrs": ["192.0.2.0/24"],
            },
            "tags": TAGS,
        },
        version="1.34",
        tags={"app": "photos"},
    ),
    example(
        "eks/nodeGroup:NodeGroup",
        lambda w: {
            "clusterName": w["Cluster"]["name"],
            "nodeRoleArn": w["Role"]["arn"],
            "subnetIds": [w["Subnet"]["id"]],
            "amiType": "AL2023_x86_64_NVIDIA",
            "capacityType": "ON_DEMAND",
            "instanceTypes": ["g6.xlarge"],
            "scalingConfig": {"minSize": 1, "desiredSize": 1, "maxSize": 3},
            "launchTemplate": {"id": w["LaunchTemplate"]["id"], "version": "1"},
            "updateConfig": {"maxUnavailable": 1},
            "labels": {"pool": "camera", "old": "yes"},
            "taints": [{"key": "nvidia.com/gpu", "value": "present", "effect": "NO_SCHEDULE"}],
            "tags": TAGS,
        },
        scalingConfig={"minSize": 2, "desiredSize": 2, "maxSize": 4},
        labels={"pool": "camera"},
        taints=[{"key": "gpu", "value": "present", "effect": "NO_SCHEDULE"}],
        tags={"app": "photos"},
    ),
    example(
        "autoscaling/tag:Tag",
        lambda w: {
            "autoscalingGroupName": behind(w),
            "tag": {"key": "app", "value": "camera", "propagateAtLaunch": True},
        },
        tag={"key": "app", "value": "photos", "propagateAtLaunch": True},
    ),
    example(
        "autoscaling/schedule:Schedule",
        lambda w: {
            "scheduledActionName": "morning",
            "autoscalingGroupName": behind(w),
            "recurrence": "0 6 * * 1-5",
            "timeZone": "Etc/UTC",
            "minSize": 2,
            "desiredCapacity": 2,
            "maxSize": 3,
        },
        minSize=1,
    ),
    example(
        "autoscaling/group:Group",
        lambda w: {
            "name": "zone",
            "minSize": 1,
            "desiredCapacity": 1,
            "maxSize": 2,
            "vpcZoneIdentifiers": [w["Subnet"]["id"]],
            "launchTemplate": {"id": w["LaunchTemplate"]["id"], "version": "$Latest"},
            "tags": [{"key": "app", "value": "camera", "propagateAtLaunch": True}],
        },
        maxSize=3,
    ),
    example(
        "lambda/function:Function",
        lambda w: {
            "name": "moderation",
            "packageType": "Image",
            "imageUri": "registry.example/moderation@sha256:" + 64 * "0",
            "role": w["Role"]["arn"],
            "memorySize": 2048,
            "timeout": 30,
            "reservedConcurrentExecutions": 20,
            "publish": True,
            "tracingConfig": {"mode": "Active"},
            "environment": {"variables": {"MODEL": "m"}},
            "tags": TAGS,
        },
        memorySize=3072,
        reservedConcurrentExecutions=30,
        tags={"app": "photos"},
    ),
    example(
        "lambda/alias:Alias",
        lambda w: {
            "name": "live",
            "functionName": w["Function"]["name"],
            "functionVersion": w["Function"]["version"],
            "description": "live",
        },
        description="what users get",
    ),
    example(
        "lambda/functionUrl:FunctionUrl",
        lambda w: {
            "functionName": w["Function"]["name"],
            "qualifier": "live",
            "authorizationType": "AWS_IAM",
        },
    ),
    example(
        "appautoscaling/target:Target",
        lambda _: {**SCALABLE, "minCapacity": 5, "maxCapacity": 20, "tags": TAGS},
        maxCapacity=30,
    ),
    example(
        "appautoscaling/policy:Policy",
        lambda _: {
            **SCALABLE,
            "policyType": "TargetTrackingScaling",
            "targetTrackingScalingPolicyConfiguration": {
                "targetValue": 0.7,
                "predefinedMetricSpecification": {
                    "predefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
                },
            },
        },
        targetTrackingScalingPolicyConfiguration={
            "targetValue": 0.8,
            "predefinedMetricSpecification": {
                "predefinedMetricType": "LambdaProvisionedConcurrencyUtilization"
            },
        },
    ),
    example(
        "appautoscaling/scheduledAction:ScheduledAction",
        lambda _: {
            **SCALABLE,
            "name": "morning",
            "schedule": "cron(0 6 ? * 2,3 *)",
            "timezone": "Etc/UTC",
            "scalableTargetAction": {"minCapacity": 5, "maxCapacity": 20},
        },
        scalableTargetAction={"minCapacity": 6, "maxCapacity": 20},
    ),
    example(
        "lb/loadBalancer:LoadBalancer",
        lambda w: {
            "name": "camera",
            "loadBalancerType": "application",
            "internal": True,
            "subnets": [w["Subnet"]["id"]],
            "securityGroups": [w["SecurityGroup"]["id"]],
            "dropInvalidHeaderFields": True,
            "tags": TAGS,
        },
        dropInvalidHeaderFields=False,
        tags={"app": "photos"},
    ),
    example(
        "lb/targetGroup:TargetGroup",
        lambda w: {
            "port": 8080,
            "protocol": "HTTP",
            "targetType": "ip",
            "vpcId": w["Vpc"]["id"],
            "deregistrationDelay": 30,
            "healthCheck": {"path": "/healthz", "interval": 10, "healthyThreshold": 2},
            "tags": TAGS,
        },
        healthCheck={"path": "/readyz", "interval": 10, "healthyThreshold": 2},
        tags={"app": "photos"},
    ),
    example(
        "lb/listener:Listener",
        lambda w: {
            "loadBalancerArn": w["LoadBalancer"]["arn"],
            "port": 80,
            "protocol": "HTTP",
            "defaultActions": [{"type": "fixed-response", "fixedResponse": ANSWER}],
            "tags": TAGS,
        },
        defaultActions=[
            {"type": "fixed-response", "fixedResponse": {**ANSWER, "messageBody": "gone"}}
        ],
        tags={"app": "photos"},
    ),
    example(
        "lb/listenerRule:ListenerRule",
        lambda w: {
            "listenerArn": w["Listener"]["arn"],
            "conditions": [{"hostHeader": {"values": ["camera.example.test"]}}],
            "actions": [{"type": "forward", "targetGroupArn": w["TargetGroup"]["arn"]}],
            "tags": TAGS,
        },
        conditions=[{"hostHeader": {"values": ["photos.example.test"]}}],
        tags={"app": "photos"},
    ),
    example(
        "route53/zone:Zone",
        lambda _: {"name": "example.test", "comment": "apps", "tags": TAGS},
        tags={"app": "photos"},
    ),
    example(
        "route53/healthCheck:HealthCheck",
        lambda _: {
            "type": "HTTPS",
            "ipAddress": "203.0.113.1",
            "fqdn": "camera.example.test",
            "port": 443,
            "resourcePath": "/healthz",
            "requestInterval": 30,
            "failureThreshold": 3,
            "tags": TAGS,
        },
        failureThreshold=4,
        tags={"app": "photos"},
    ),
    example(
        "route53/record:Record",
        lambda w: {
            "zoneId": w["Zone"]["zoneId"],
            "name": "camera.example.test",
            "type": "A",
            "setIdentifier": "us-east-1",
            "records": ["203.0.113.1"],
            "ttl": 60,
            "healthCheckId": w["HealthCheck"]["id"],
            "latencyRoutingPolicies": [{"region": "us-east-1"}],
        },
        ttl=30,
    ),
    example(
        "cloudfront/distribution:Distribution",
        lambda _: {
            "comment": "camera",
            "enabled": True,
            "isIpv6Enabled": True,
            "httpVersion": "http2and3",
            "priceClass": "PriceClass_100",
            "origins": [ORIGIN],
            "defaultCacheBehavior": BEHAVIOUR,
            "restrictions": {"geoRestriction": {"restrictionType": "none"}},
            "viewerCertificate": {"cloudfrontDefaultCertificate": True},
            "tags": TAGS,
        },
        comment="camera, everywhere",
        tags={"app": "photos"},
    ),
)


def behind(world: World) -> str:
    """The group behind the node group."""
    found: str = world["NodeGroup"]["resources"][0]["autoscalingGroups"][0]["name"]
    return found
