"""The rows of what everything shares: identities, keys, topics, budgets."""

from __future__ import annotations

import json
from typing import Any

from sandbox.aws import ACCOUNT, Aws, Type
from sandbox.provider import Bag

NOTICE = ("comparisonOperator", "notificationType", "threshold", "thresholdType")

TOPIC = {"kmsMasterKeyId": "KmsMasterKeyId", "displayName": "DisplayName"}


def upper(name: str) -> str:
    return name[0].upper() + name[1:]


def pairs(told: list[Bag], key: str = "Key", value: str = "Value") -> Bag:
    """[{Key, Value}] -> {key: value}."""
    return {one[key]: one[value] for one in told}


def profile_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    before, role = (old or {}).get("role"), bag.get("role")
    if before and before != role:
        aws.iam.remove_role_from_instance_profile(InstanceProfileName=bag["name"], RoleName=before)
    if role and before != role:
        aws.iam.add_role_to_instance_profile(InstanceProfileName=bag["name"], RoleName=role)


def profile_before_delete(aws: Aws, bag: Bag) -> None:
    if bag.get("role"):
        aws.iam.remove_role_from_instance_profile(
            InstanceProfileName=bag["name"], RoleName=bag["role"]
        )


def policy_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    if old is None or old["policy"] == bag["policy"]:
        return
    arn = bag["id"]
    for version in aws.iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            aws.iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
    aws.iam.create_policy_version(PolicyArn=arn, PolicyDocument=bag["policy"], SetAsDefault=True)


def policy_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    version = aws.iam.get_policy_version(PolicyArn=bag["id"], VersionId=live["DefaultVersionId"])
    return {"policy": version["PolicyVersion"]["Document"], "arn": bag["id"]}


def policy_before_delete(aws: Aws, bag: Bag) -> None:
    for version in aws.iam.list_policy_versions(PolicyArn=bag["id"])["Versions"]:
        if not version["IsDefaultVersion"]:
            aws.iam.delete_policy_version(PolicyArn=bag["id"], VersionId=version["VersionId"])


def key_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    if bag.get("enableKeyRotation"):
        aws.kms.enable_key_rotation(KeyId=bag["id"])
    elif (old or {}).get("enableKeyRotation"):
        aws.kms.disable_key_rotation(KeyId=bag["id"])
    if old is not None and bag.get("policy") and old.get("policy") != bag["policy"]:
        aws.kms.put_key_policy(KeyId=bag["id"], PolicyName="default", Policy=bag["policy"])


def key_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    id_ = bag["id"]
    if live["KeyState"] == "PendingDeletion":
        return {"status": "DELETED"}
    return {
        "policy": json.loads(aws.kms.get_key_policy(KeyId=id_, PolicyName="default")["Policy"]),
        "enableKeyRotation": aws.kms.get_key_rotation_status(KeyId=id_)["KeyRotationEnabled"],
        "tags": pairs(aws.kms.list_resource_tags(KeyId=id_)["Tags"], "TagKey", "TagValue"),
    }


def topic_fix(bag: Bag) -> Bag:
    return {"attributes": {member: bag[key] for key, member in TOPIC.items() if bag.get(key)}}


def topic_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    for key, member in TOPIC.items():
        if old is not None and old.get(key) != bag.get(key):
            aws.sns.set_topic_attributes(
                TopicArn=bag["id"], AttributeName=member, AttributeValue=bag.get(key) or ""
            )


def topic_see(_live: Bag, aws: Aws, bag: Bag) -> Bag:
    tags = aws.sns.list_tags_for_resource(ResourceArn=bag["id"])["Tags"]
    return {"arn": bag["id"], "name": bag["name"], "tags": pairs(tags)}


def topic_policy_fix(bag: Bag) -> Bag:
    return {"attributeName": "Policy", "attributeValue": bag["policy"]}


def budget_of(bag: Bag) -> Bag:
    """A budget as AWS writes it, with its notifications."""
    notifications = [
        {
            "Notification": {upper(key): notice[key] for key in NOTICE},
            "Subscribers": [
                {"SubscriptionType": kind, "Address": address}
                for kind, key in (
                    ("EMAIL", "subscriberEmailAddresses"),
                    ("SNS", "subscriberSnsTopicArns"),
                )
                for address in notice.get(key) or ()
            ],
        }
        for notice in bag.get("notifications") or ()
    ]
    budget = {
        "BudgetName": bag["name"],
        "BudgetType": bag["budgetType"],
        "TimeUnit": bag["timeUnit"],
        "BudgetLimit": {"Amount": str(bag.get("limitAmount")), "Unit": bag.get("limitUnit")},
        "CostFilters": {one["name"]: one["values"] for one in bag.get("costFilters") or ()},
    }
    return {"Budget": budget, "NotificationsWithSubscribers": notifications}


def budget_fix(bag: Bag) -> Bag:
    made = budget_of(bag)
    return {
        "accountId": ACCOUNT,
        "budget": made["Budget"],
        "notificationsWithSubscribers": made["NotificationsWithSubscribers"],
    }


def budget_after(aws: Aws, bag: Bag, old: Bag | None) -> None:
    """Put a new budget in the old one's place: moto has no update_budget."""
    if old is not None:
        aws.budgets.delete_budget(AccountId=ACCOUNT, BudgetName=bag["name"])
        aws.budgets.create_budget(AccountId=ACCOUNT, **budget_of(bag))


def budget_see(live: Bag, aws: Aws, bag: Bag) -> Bag:
    name, sent = live["BudgetName"], bag.get("notifications") or []
    told = aws.budgets.describe_notifications_for_budget(AccountId=ACCOUNT, BudgetName=name)
    notices = [
        {key: notice[upper(key)] for key in NOTICE if upper(key) in notice}
        for notice in told["Notifications"]
    ]
    known = [{key: one.get(key) for key in NOTICE} for one in sent]
    return {
        "name": name,
        "arn": f"arn:aws:budgets::{ACCOUNT}:budget/{name}",
        "limitAmount": live["BudgetLimit"]["Amount"],
        "limitUnit": live["BudgetLimit"]["Unit"],
        "costFilters": [
            {"name": key, "values": values} for key, values in live.get("CostFilters", {}).items()
        ],
        # Who is told, moto does not tell: taken as sent while the notices are as sent.
        "notifications": sent if in_order(notices) == in_order(known) else notices,
    }


def in_order(things: list[Any]) -> list[str]:
    return sorted(json.dumps(thing, sort_keys=True) for thing in things)


ROWS = (
    Type(
        "aws:iam/role:Role",
        "iam",
        "create_role:Role",
        "get_role:Role",
        "delete_role",
        id="{RoleName}",
        name="name",
        names={
            "name": "RoleName",
            "assumeRolePolicy": ("AssumeRolePolicyDocument", "PolicyDocument"),
        },
        update=("update_role", "update_assume_role_policy", "tag_role"),
    ),
    Type(
        "aws:iam/rolePolicy:RolePolicy",
        "iam",
        "put_role_policy",
        "get_role_policy",
        "delete_role_policy",
        id="{role}:{name}",
        name="name",
        names={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
        update=("put_role_policy",),
        replace=("role", "name"),
    ),
    Type(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "iam",
        "attach_role_policy",
        "list_attached_role_policies:AttachedPolicies[?PolicyArn=='{policyArn}'] | [0]",
        "detach_role_policy",
        id="{role}-{policyArn}",
        names={"role": "RoleName"},
        see=lambda _live, _aws, bag: {"role": bag["role"]},
    ),
    Type(
        "aws:iam/policy:Policy",
        "iam",
        "create_policy:Policy",
        "get_policy:Policy",
        "delete_policy",
        id="{Arn}",
        name="name",
        names={"name": "PolicyName", "policy": "PolicyDocument", "id": "PolicyArn"},
        update=("tag_policy",),
        after=policy_after,
        see=policy_see,
        before_delete=policy_before_delete,
        in_place=("policy",),
    ),
    Type(
        "aws:iam/instanceProfile:InstanceProfile",
        "iam",
        "create_instance_profile:InstanceProfile",
        "get_instance_profile:InstanceProfile",
        "delete_instance_profile",
        id="{InstanceProfileName}",
        name="name",
        names={"name": "InstanceProfileName"},
        update=("tag_instance_profile",),
        after=profile_after,
        see=lambda live, _aws, _bag: {"role": (live["Roles"] or [{}])[0].get("RoleName")},
        before_delete=profile_before_delete,
        in_place=("role",),
    ),
    Type(
        "aws:kms/key:Key",
        "kms",
        "create_key:KeyMetadata",
        "describe_key:KeyMetadata",
        "schedule_key_deletion",
        id="{KeyId}",
        names={"id": "KeyId", "deletionWindowInDays": "PendingWindowInDays"},
        update=("update_key_description", "tag_resource"),
        after=key_after,
        see=key_see,
        in_place=("enableKeyRotation", "policy", "deletionWindowInDays"),
    ),
    Type(
        "aws:sns/topic:Topic",
        "sns",
        "create_topic",
        "get_topic_attributes:Attributes",
        "delete_topic",
        id="{TopicArn}",
        name="name",
        names={"id": ("TopicArn", "ResourceArn")},
        fix=topic_fix,
        update=("tag_resource",),
        after=topic_after,
        see=topic_see,
        in_place=tuple(TOPIC),
    ),
    Type(
        "aws:sns/topicPolicy:TopicPolicy",
        "sns",
        "set_topic_attributes",
        "get_topic_attributes:Attributes",
        id="{arn}",
        names={"arn": "TopicArn", "id": ()},
        fix=topic_policy_fix,
        update=("set_topic_attributes",),
        replace=("arn",),
        in_place=("policy",),
    ),
    Type(
        "aws:sns/topicSubscription:TopicSubscription",
        "sns",
        "subscribe",
        "get_subscription_attributes:Attributes",
        "unsubscribe",
        id="{SubscriptionArn}",
        names={"id": "SubscriptionArn", "topic": "TopicArn"},
        fix=lambda _bag: {"returnSubscriptionArn": True},
        see=lambda _live, _aws, bag: {"arn": bag["id"]},
    ),
    Type(
        "aws:budgets/budget:Budget",
        "budgets",
        "create_budget",
        "describe_budget:Budget",
        "delete_budget",
        id=ACCOUNT + ":{name}",
        name="name",
        names={"name": "BudgetName"},
        fix=budget_fix,
        after=budget_after,
        see=budget_see,
        replace=("budgetType",),
        in_place=("limitAmount", "limitUnit", "costFilters", "notifications", "timeUnit"),
    ),
)
