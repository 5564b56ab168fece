"""The rows of what keeps things: buckets, queues, tables, logs."""

from __future__ import annotations

from sandbox.aws import Aws, Gone, Type
from sandbox.aws_shared import pairs, upper
from sandbox.provider import Bag

QUEUE = (
    "delaySeconds",
    "fifoQueue",
    "kmsMasterKeyId",
    "maxMessageSize",
    "messageRetentionSeconds",
    "receiveWaitTimeSeconds",
    "redrivePolicy",
    "visibilityTimeoutSeconds",
)

QUEUE_NAMES = {
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}


def log_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    name, days = bag["name"], bag.get("retentionInDays")
    if days:
        aws.logs.put_retention_policy(logGroupName=name, retentionInDays=days)
    elif (old or {}).get("retentionInDays"):
        aws.logs.delete_retention_policy(logGroupName=name)
    if old is not None and old.get("tags") != bag.get("tags"):
        gone = [key for key in old.get("tags") or {} if key not in (bag.get("tags") or {})]
        if gone:
            aws.logs.untag_log_group(logGroupName=name, tags=gone)
        if bag.get("tags"):
            aws.logs.tag_log_group(logGroupName=name, tags=bag["tags"])


def log_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    tags = aws.logs.list_tags_log_group(logGroupName=bag["name"])["tags"]
    return {"tags": tags, "arn": live["arn"].removesuffix(":*")}


def bucket_fix(bag: Bag) -> Bag:
    away = bag["region"] != "us-east-1"
    return {"createBucketConfiguration": {"LocationConstraint": bag["region"]} if away else None}


def bucket_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    tags = [{"Key": key, "Value": value} for key, value in (bag.get("tags") or {}).items()]
    if tags:
        aws.s3.put_bucket_tagging(Bucket=bag["bucket"], Tagging={"TagSet": tags})
    elif (old or {}).get("tags"):
        aws.s3.delete_bucket_tagging(Bucket=bag["bucket"])


def bucket_see(_live: Bag, aws: Aws, bag: Bag) -> Bag:
    name = bag["bucket"]
    try:
        tags = pairs(aws.s3.get_bucket_tagging(Bucket=name)["TagSet"])
    except Gone:
        tags = {}
    domain = f"{name}.s3.{aws.region}.amazonaws.com"
    told = {"bucket": name, "arn": f"arn:aws:s3:::{name}", "tags": tags}
    return {**told, "bucketRegionalDomainName": domain}


def queue_fix(bag: Bag) -> Bag:
    given = {QUEUE_NAMES.get(key, upper(key)): bag[key] for key in QUEUE if key in bag}
    return {"attributes": given}


def queue_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    tags = aws.sqs.list_queue_tags(QueueUrl=bag["id"]).get("Tags", {})
    seen = {key: live[QUEUE_NAMES.get(key, upper(key))] for key in QUEUE_NAMES}
    return {**seen, "arn": live["QueueArn"], "url": bag["id"], "name": bag["name"], "tags": tags}


def table_fix(bag: Bag) -> Bag:
    keys = (("hashKey", "HASH"), ("rangeKey", "RANGE"))
    capacity = {"ReadCapacityUnits": bag.get("readCapacity", 1)}
    capacity["WriteCapacityUnits"] = bag.get("writeCapacity", 1)
    by_request = bag.get("billingMode") == "PAY_PER_REQUEST"
    return {
        "keySchema": [
            {"AttributeName": bag[key], "KeyType": kind} for key, kind in keys if bag.get(key)
        ],
        "attributeDefinitions": [
            {"AttributeName": one["name"], "AttributeType": one["type"]}
            for one in bag["attributes"]
        ],
        "provisionedThroughput": None if by_request else capacity,
    }


def table_see(live: Bag, aws: Aws, _bag: Bag) -> Bag:
    schema = {one["KeyType"]: one["AttributeName"] for one in live["KeySchema"]}
    tags = aws.dynamodb.list_tags_of_resource(ResourceArn=live["TableArn"])["Tags"]
    capacity = live.get("ProvisionedThroughput", {})
    return {
        "arn": live["TableArn"],
        "hashKey": schema.get("HASH"),
        "rangeKey": schema.get("RANGE"),
        "billingMode": live.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
        "readCapacity": capacity.get("ReadCapacityUnits"),
        "writeCapacity": capacity.get("WriteCapacityUnits"),
        "attributes": [
            {"name": one["AttributeName"], "type": one["AttributeType"]}
            for one in live["AttributeDefinitions"]
        ],
        "tags": pairs(tags),
    }


ROWS = (
    Type(
        "aws:cloudwatch/logGroup:LogGroup",
        "logs",
        "create_log_group",
        "describe_log_groups:logGroups[?logGroupName=='{name}'] | [0]",
        "delete_log_group",
        id="{name}",
        name="name",
        names={"name": ("logGroupName", "logGroupNamePrefix"), "id": ()},
        after=log_after,
        see=log_see,
        in_place=("retentionInDays", "tags"),
    ),
    Type(
        "aws:s3/bucket:Bucket",
        "s3",
        "create_bucket",
        "get_bucket_location",
        "delete_bucket",
        id="{bucket}",
        name="bucket",
        fix=bucket_fix,
        after=bucket_after,
        see=bucket_see,
        in_place=("tags",),
    ),
    Type(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "s3",
        "put_public_access_block",
        "get_public_access_block:PublicAccessBlockConfiguration",
        "delete_public_access_block",
        id="{bucket}",
        fix=lambda bag: {"publicAccessBlockConfiguration": bag},
        update=("put_public_access_block",),
        see=lambda _live, _aws, bag: {"bucket": bag["bucket"]},
        replace=("bucket",),
        in_place=(
            "blockPublicAcls",
            "blockPublicPolicy",
            "ignorePublicAcls",
            "restrictPublicBuckets",
        ),
    ),
    Type(
        "aws:s3/bucketVersioning:BucketVersioning",
        "s3",
        "put_bucket_versioning",
        "get_bucket_versioning",
        id="{bucket}",
        update=("put_bucket_versioning",),
        see=lambda live, _aws, bag: {
            "bucket": bag["bucket"],
            "versioningConfiguration": {"status": live.get("Status")},
        },
        replace=("bucket",),
    ),
    Type(
        "aws:sqs/queue:Queue",
        "sqs",
        "create_queue",
        "get_queue_attributes:Attributes",
        "delete_queue",
        id="{QueueUrl}",
        name="name",
        names={"id": "QueueUrl", "name": "QueueName"},
        fix=lambda bag: {**queue_fix(bag), "attributeNames": ["All"]},
        update=("set_queue_attributes", "tag_queue"),
        see=queue_see,
        replace=("fifoQueue",),
        in_place=tuple(key for key in QUEUE if key != "fifoQueue"),
    ),
    Type(
        "aws:dynamodb/table:Table",
        "dynamodb",
        "create_table:TableDescription",
        "describe_table:Table",
        "delete_table",
        id="{TableName}",
        name="name",
        names={"name": "TableName", "arn": "ResourceArn"},
        fix=table_fix,
        update=("update_table", "tag_resource"),
        see=table_see,
        replace=("hashKey", "rangeKey"),
        in_place=("readCapacity", "writeCapacity", "billingMode", "attributes"),
    ),
)
