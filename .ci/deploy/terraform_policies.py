"""IAM statements of the functions in the Terraform configuration, with the names of the template's resources.

Terraform names are those of the template in snake case: `aws_s3_bucket.sessions` is `SessionsBucket`, and the function `agent_api` is
`AgentApiFunction`.
"""

import re
from pathlib import Path

import hcl2
from aws_calls import ACCOUNT, REGION
from policies import ARNS, Statement

FIXED = {
    "local.partition": "aws",
    "local.region": REGION,
    "local.account": ACCOUNT,
    "aws_kms_key.key.arn": ARNS["AWS::KMS::Key"].format(name="Key"),
    "aws_secretsmanager_secret.desk.arn": ARNS["AWS::SecretsManager::Secret"].format(name="DeskSecret"),
    # As the argument of `Template` in `least_privilege`.
    "var.knowledge_base_id": "ABCDEFGHIJ",
}
SUFFIXES = {"aws_s3_bucket": ("AWS::S3::Bucket", "Bucket")}


def plain(value: object) -> object:
    """Removes quotes and comments of the parser."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items() if not str(key).startswith("__")}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value[1:-1] if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] == '"' else value


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


class Configuration:
    def __init__(self, folder: Path) -> None:
        self.documents, self.locals, self.variables = {}, {}, {}
        for path in sorted(folder.glob("*.tf")):
            body = plain(hcl2.loads(path.read_text()))
            for data in body.get("data", []):
                self.documents |= data.get("aws_iam_policy_document", {})
            for block in body.get("locals", []):
                self.locals |= block
            for block in body.get("variable", []):
                self.variables |= {name: declared.get("default") for name, declared in block.items()}

    def resolve(self, expression: str, function: str) -> str:
        """Replaces references in a text, or in an expression that is one reference."""
        if "${" not in expression and re.fullmatch(r"(local|var|data|aws_\w+)\.[\w.]+", expression):
            expression = f"${{{expression}}}"
        return re.sub(r"\$\{([^}]+)\}", lambda found: self.reference(found[1].strip(), function), expression)

    def reference(self, name: str, function: str) -> str:
        if name in FIXED:
            return FIXED[name]
        if name == "aws_cloudwatch_log_group.function[each.key].arn":
            return ARNS["AWS::Logs::LogGroup"].format(name=f"{camel(function)}Logs").removesuffix(":*")
        kind, _, rest = name.partition(".")
        if kind == "var":
            return self.variables[rest]
        if kind == "local":
            return self.resolve(self.locals[rest], function)
        if kind in SUFFIXES and rest.endswith(".arn"):
            of_template, suffix = SUFFIXES[kind]
            return ARNS[of_template].format(name=camel(rest.removesuffix(".arn")) + suffix)
        raise ValueError(f"{name} is not known here: add it")

    def statements(self, reference: str, function: str) -> list[Statement]:
        """Returns the statements of `data.aws_iam_policy_document.NAME.json`."""
        found = re.fullmatch(r"(?:\$\{)?data\.aws_iam_policy_document\.(\w+)\.json\}?", reference)
        return self.document(found[1], function)

    def document(self, name: str, function: str) -> list[Statement]:
        document = self.documents[name]
        statements = []
        for source in document.get("source_policy_documents", []):
            # Documents of `local.functions` are named by their function.
            source = source.removeprefix("${").removesuffix("}")
            source = self.locals["functions"][function]["policy"] if source == "each.value.policy" else source
            statements += self.statements(source, function)
        blocks = list(document.get("statement", []))
        blocks += [content for dynamic in document.get("dynamic", []) for content in dynamic["statement"]["content"]]
        return statements + [self.statement(block, function) for block in blocks]

    def statement(self, block: dict, function: str) -> Statement:
        def texts(values: list) -> list:
            return [self.resolve(value, function) for value in values]

        conditions = {}
        for condition in block.get("condition", []):
            conditions.setdefault(condition["test"], {})[condition["variable"]] = texts(condition["values"])
        read = {"Sid": block["sid"], "Effect": block.get("effect", "Allow"), "Action": block["actions"]}
        return Statement.read(read | {"Resource": texts(block["resources"]), "Condition": conditions})


def terraform_functions(folder: Path) -> dict[str, list[Statement]]:
    configuration = Configuration(folder)
    return {f"{camel(name)}Function": configuration.document("function", name) for name in configuration.locals["functions"]}
