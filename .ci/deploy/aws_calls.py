"""Names of AWS requests: the IAM actions that a request needs, with the resources and condition keys that a policy sees.

`calls` knows the requests of S3, Secrets Manager, KMS, Bedrock, Bedrock knowledge bases and STS. For another request the action is
`unknown`, which no policy allows.
"""

import json
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass, field

# The account of moto.
ACCOUNT = "123456789012"
REGION = "us-east-1"
SCOPE = re.compile(r"Credential=[^/,\s]+/\d+/([^/]+)/([^/]+)/aws4_request")
MODEL = re.compile(r"/model/([^/]+)/(converse|converse-stream|invoke|invoke-with-response-stream)$")
KNOWLEDGE_BASE = re.compile(r"/knowledgebases/([^/]+)/retrieve$")
JSON_TARGETS = {"secretsmanager": "secretsmanager", "TrentService": "kms"}


@dataclass
class Call:
    action: str
    resource: str
    context: dict = field(default_factory=dict)

    def record(self, function: str, status: int) -> dict:
        service = self.action.split(":")[0]
        return {"function": function, "service": service, **asdict(self), "status": status}


def calls(method: str, target: str, headers: dict, body: bytes) -> list[Call]:
    """Returns the calls of a request. Names of headers are in lower case."""
    url = urllib.parse.urlsplit(target)
    path = url.path
    query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
    scope = SCOPE.search(headers.get("authorization", ""))
    region, service = (scope[1], scope[2]) if scope else (REGION, None)
    if "x-amz-target" in headers:
        return json_calls(headers["x-amz-target"], body, region)
    if found := MODEL.search(path):
        return model_calls(urllib.parse.unquote(found[1]), found[2], region)
    if found := KNOWLEDGE_BASE.search(path):
        return [Call("bedrock:Retrieve", f"arn:aws:bedrock:{region}:{ACCOUNT}:knowledge-base/{found[1]}")]
    if service == "sts":
        form = dict(urllib.parse.parse_qsl(body.decode()))
        return [Call(f"sts:{form.get('Action', query.get('Action', 'unknown'))}", "*")]
    if service in ("s3", None):
        return s3_calls(method, urllib.parse.unquote(path), query, headers, body)
    return [Call(f"{service}:unknown {method} {path}", "*")]


def json_calls(target: str, body: bytes, region: str) -> list[Call]:
    prefix, _, name = target.partition(".")
    service = JSON_TARGETS.get(prefix)
    if service is None:
        return [Call(f"unknown:{target}", "*")]
    arguments = json.loads(body or b"{}")
    named = arguments.get("SecretId") or arguments.get("KeyId") or "*"
    if named != "*" and not named.startswith("arn:"):
        kind = "secret:" if service == "secretsmanager" else "key/"
        named = f"arn:aws:{service}:{region}:{ACCOUNT}:{kind}{named}"
    return [Call(f"{service}:{name}", named)]


def model_calls(model: str, operation: str, region: str) -> list[Call]:
    action = "bedrock:InvokeModelWithResponseStream" if operation.endswith("stream") else "bedrock:InvokeModel"
    if model.startswith("arn:"):
        return [Call(action, model)]
    # The id of a cross-region profile has the geography in front of that of the model.
    if re.match(r"(us|eu|apac|global)\.", model):
        return [Call(action, f"arn:aws:bedrock:{region}:{ACCOUNT}:inference-profile/{model}")]
    return [Call(action, f"arn:aws:bedrock:{region}::foundation-model/{model}")]


def s3_calls(method: str, path: str, query: dict, headers: dict, body: bytes) -> list[Call]:
    bucket, _, key = path.lstrip("/").partition("/")
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        return bucket_calls(method, arn, query, body)
    action = object_action(method, query)
    found = [Call(action, f"{arn}/{key}")]
    if action == "s3:PutObject":
        if source := headers.get("x-amz-copy-source"):
            found.append(Call("s3:GetObject", f"arn:aws:s3:::{urllib.parse.unquote(source).lstrip('/')}"))
        if "x-amz-tagging" in headers:
            found.append(Call("s3:PutObjectTagging", f"{arn}/{key}"))
        if "x-amz-acl" in headers:
            found.append(Call("s3:PutObjectAcl", f"{arn}/{key}"))
    return found


def bucket_calls(method: str, arn: str, query: dict, body: bytes) -> list[Call]:
    if method == "POST" and "delete" in query:
        keys = [element.text for element in ElementTree.fromstring(body).iter() if element.tag.rsplit("}")[-1] == "Key"]
        return [Call("s3:DeleteObject", f"{arn}/{key}") for key in keys]
    listed = {"versions": "s3:ListBucketVersions", "uploads": "s3:ListBucketMultipartUploads", "location": "s3:GetBucketLocation"}
    if method == "GET":
        action = next((listed[name] for name in listed if name in query), "s3:ListBucket")
        known = {"list-type", "prefix", "delimiter", "start-after", "continuation-token", "max-keys", "encoding-type", "fetch-owner"}
        if action == "s3:ListBucket" and not query.keys() <= known:
            action = f"s3:unknown GET {sorted(query)}"
        context = {f"s3:{name}": query[name] for name in ("prefix", "delimiter", "max-keys") if name in query}
        return [Call(action, arn, context)]
    return [Call({"HEAD": "s3:ListBucket", "PUT": "s3:CreateBucket", "DELETE": "s3:DeleteBucket"}.get(method, f"s3:unknown {method}"), arn)]


def object_action(method: str, query: dict) -> str:
    parts = {
        "GET": "s3:ListMultipartUploadParts",
        "DELETE": "s3:AbortMultipartUpload",
        "PUT": "s3:PutObject",
        "POST": "s3:PutObject",
    }
    if "uploadId" in query or "uploads" in query:
        return parts.get(method, f"s3:unknown {method}")
    for name in ("tagging", "acl", "retention", "legal-hold", "torrent", "attributes", "restore", "select"):
        if name in query:
            return f"s3:unknown {method} {name}"
    version = "Version" if "versionId" in query else ""
    actions = {
        "GET": f"s3:GetObject{version}",
        "HEAD": f"s3:GetObject{version}",
        "PUT": "s3:PutObject",
        "DELETE": f"s3:DeleteObject{version}",
    }
    return actions.get(method, f"s3:unknown {method}")
