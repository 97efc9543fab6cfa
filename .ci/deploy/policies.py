"""IAM statements of the roles in the SAM template, with their intrinsic functions resolved.

Names of resources that CloudFormation generates are logical ids: the bucket `SessionsBucket` has the ARN `arn:aws:s3:::SessionsBucket`.
"""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path

import yaml
from aws_calls import ACCOUNT, REGION

PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT}
NO_VALUE = object()
# Formats of ARNs, and of what `Ref` gives where that is no name.
ARNS = {
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::KMS::Key": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{{name}}",
    "AWS::SecretsManager::Secret": f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{{name}}",
    "AWS::Logs::LogGroup": f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{{name}}:*",
}
ARN_BY_REF = {"AWS::SecretsManager::Secret"}


class Loader(yaml.SafeLoader):
    """Reads the short forms of intrinsic functions."""


def short_form(loader: Loader, suffix: str, node: yaml.Node) -> dict:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", short_form)


@dataclass(frozen=True)
class Statement:
    sid: str
    effect: str
    actions: tuple
    resources: tuple
    conditions: tuple

    @classmethod
    def read(cls, statement: dict) -> "Statement":
        unknown = statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}
        if unknown or "Sid" not in statement:
            raise ValueError(f"statement without Sid, or with {sorted(unknown)}: {statement}")
        conditions = [
            (operator, key, texts(value)) for operator, keys in statement.get("Condition", {}).items() for key, value in keys.items()
        ]
        return cls(statement["Sid"], statement["Effect"], texts(statement["Action"]), texts(statement["Resource"]), tuple(sorted(conditions)))

    def covers(self, action: str, resource: str, context: dict) -> bool:
        """Returns true if the statement is about the call."""
        return (
            any(matches(pattern.lower(), action.lower()) for pattern in self.actions)
            and any(matches(pattern, resource) for pattern in self.resources)
            and all(holds(operator, context.get(key), values) for operator, key, values in self.conditions)
        )


def texts(value: object) -> tuple:
    return tuple(sorted(map(str, value if isinstance(value, list) else [value])))


def matches(pattern: str, text: str) -> bool:
    # Only `*` and `?` are special in IAM.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def holds(operator: str, found: str | None, values: tuple) -> bool:
    """Evaluates one key of a condition."""
    if operator.endswith("IfExists"):
        return found is None or holds(operator.removesuffix("IfExists"), found, values)
    if operator == "Null":
        return (found is None) == (values == ("true",))
    if operator in ("StringEquals", "Bool", "ArnEquals"):
        return found in values
    if operator in ("StringLike", "ArnLike"):
        return found is not None and any(matches(value, found) for value in values)
    raise ValueError(f"the operator {operator} is not known here: add it")


class Template:
    """A SAM or CloudFormation template with the defaults of its parameters, or those given."""

    def __init__(self, path: Path, **parameters: str) -> None:
        self.body = yaml.load(path.read_text(), Loader)  # noqa: S506 - a safe loader
        self.resources = self.body["Resources"]
        self.parameters = {name: parameters.get(name, declared.get("Default", "")) for name, declared in self.body["Parameters"].items()}

    def resolve(self, value: object) -> object:
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self.ref(argument)
            if name == "Fn::GetAtt":
                return self.attribute(*(argument.split(".", 1) if isinstance(argument, str) else argument))
            if name == "Fn::Sub":
                return re.sub(r"\$\{([^}]+)\}", lambda found: self.substitute(found[1]), argument)
            if name == "Fn::If":
                return self.resolve(argument[1] if self.condition(argument[0]) else argument[2])
            if name.startswith("Fn::"):
                raise ValueError(f"{name} is not known here: add it")
        return {key: found for key, item in value.items() if (found := self.resolve(item)) is not NO_VALUE}

    def ref(self, name: str) -> object:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return str(self.parameters[name])
        kind = self.resources[name]["Type"]
        return ARNS[kind].format(name=name) if kind in ARN_BY_REF else name

    def attribute(self, name: str, attribute: str) -> str:
        kind = self.resources[name]["Type"]
        if attribute == "Arn" and kind in ARNS:
            return ARNS[kind].format(name=name)
        return f"{name}.{attribute}"

    def substitute(self, name: str) -> str:
        return self.attribute(*name.split(".", 1)) if "." in name else str(self.ref(name))

    def condition(self, name: str) -> bool:
        return bool(self.logical(self.body["Conditions"][name]))

    def logical(self, value: object) -> object:
        if isinstance(value, dict) and len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Fn::Not":
                return not self.logical(argument[0])
            if name == "Fn::Equals":
                first, second = map(self.resolve, argument)
                return first == second
        raise ValueError(f"{value} is not known here: add it")

    def statements(self, role: str) -> list[Statement]:
        """Returns the statements of a role: its own, and those of the managed policies of the template."""
        properties = self.resources[role]["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        for managed in properties.get("ManagedPolicyArns", []):
            if not isinstance(managed, dict) or "Ref" not in managed:
                raise ValueError(f"{role} has a policy that is not in the template: {managed}")
            documents.append(self.resources[managed["Ref"]]["Properties"]["PolicyDocument"])
        return [Statement.read(statement) for document in documents for statement in self.resolve(document["Statement"])]

    def functions(self) -> dict[str, list[Statement]]:
        """Returns the statements of each function."""
        found = {}
        for name, resource in self.resources.items():
            if resource["Type"] == "AWS::Serverless::Function":
                if "Policies" in resource["Properties"]:
                    raise ValueError(f"{name}: write its policy as a role, so that it is checked here")
                [(_, role)] = resource["Properties"]["Role"].items()
                found[name] = self.statements(role.split(".")[0])
        return found
