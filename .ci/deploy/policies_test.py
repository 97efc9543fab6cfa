"""Tests of `aws_calls.py` and `policies.py`: names of requests, and decisions of statements. Run by `lint`."""

import unittest

from aws_calls import calls
from policies import ARNS, Template, holds, matches
from tools import ROOT

SIGNED = {"authorization": "AWS4-HMAC-SHA256 Credential=AK/20260101/us-west-2/bedrock/aws4_request, SignedHeaders=host, Signature=0"}
KEY = ARNS["AWS::KMS::Key"].format(name="Key")


def named(method: str, target: str, headers: dict | None = None, body: bytes = b"") -> list:
    return [(call.action, call.resource) for call in calls(method, target, headers or {}, body)]


class Names(unittest.TestCase):
    def test_names_requests_for_objects(self) -> None:
        for method, action in (("GET", "GetObject"), ("HEAD", "GetObject"), ("PUT", "PutObject"), ("DELETE", "DeleteObject")):
            self.assertEqual(named(method, "/b/a%20b/%C3%BC"), [(f"s3:{action}", "arn:aws:s3:::b/a b/ü")])
        self.assertEqual(named("DELETE", "/b/k?versionId=1"), [("s3:DeleteObjectVersion", "arn:aws:s3:::b/k")])
        self.assertEqual(named("DELETE", "/b/k?uploadId=1"), [("s3:AbortMultipartUpload", "arn:aws:s3:::b/k")])

    def test_names_each_key_of_a_deletion(self) -> None:
        body = b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>'
        self.assertEqual([resource for _, resource in named("POST", "/b?delete", body=body)], ["arn:aws:s3:::b/a", "arn:aws:s3:::b/b"])

    def test_a_copy_reads_its_source(self) -> None:
        found = named("PUT", "/b/k", {"x-amz-copy-source": "/other/key"})
        self.assertEqual(found, [("s3:PutObject", "arn:aws:s3:::b/k"), ("s3:GetObject", "arn:aws:s3:::other/key")])

    def test_names_the_prefix_of_a_listing(self) -> None:
        [call] = calls("GET", "/b?list-type=2&prefix=agent_sessions%2F", {}, b"")
        self.assertEqual((call.action, call.context), ("s3:ListBucket", {"s3:prefix": "agent_sessions/"}))

    def test_names_models_and_profiles(self) -> None:
        profile = "arn:aws:bedrock:us-west-2:123456789012:inference-profile/us.anthropic.x-v1:0"
        self.assertEqual(
            named("POST", "/model/us.anthropic.x-v1%3A0/converse-stream", SIGNED), [("bedrock:InvokeModelWithResponseStream", profile)]
        )
        model = "arn:aws:bedrock:us-west-2::foundation-model/anthropic.x"
        self.assertEqual(named("POST", "/model/anthropic.x/converse", SIGNED), [("bedrock:InvokeModel", model)])

    def test_what_is_not_known_has_an_action_that_no_policy_allows(self) -> None:
        for target, headers in (("/b?policy", {}), ("/b/k?acl", {}), ("/", {"x-amz-target": "DynamoDB_20120810.GetItem"})):
            [(action, _)] = named("GET", target, headers)
            self.assertIn("unknown", action)


class Decisions(unittest.TestCase):
    def setUp(self) -> None:
        self.functions = Template(ROOT / "deploy/sam/template.yaml").functions()

    def allowed(self, function: str, action: str, resource: str, **context: str) -> bool:
        return any(statement.covers(action, resource, context) for statement in self.functions[function])

    def test_the_agent_reaches_its_sessions_alone(self) -> None:
        for key, expected in (("agent_sessions/s/1.json", True), ("desk/travel.sqlite3", False), ("agent_sessions", False)):
            self.assertEqual(self.allowed("AgentStreamFunction", "s3:PutObject", f"arn:aws:s3:::SessionsBucket/{key}"), expected)
        self.assertFalse(self.allowed("AgentStreamFunction", "s3:GetObject", "arn:aws:s3:::DeskBucket/desk/travel.sqlite3"))
        self.assertFalse(self.allowed("AgentStreamFunction", "s3:DeleteObjectVersion", "arn:aws:s3:::SessionsBucket/agent_sessions/a"))

    def test_the_mcp_server_reads_no_conversation_and_calls_no_model(self) -> None:
        self.assertFalse(self.allowed("McpFunction", "s3:GetObject", "arn:aws:s3:::SessionsBucket/agent_sessions/s/1.json"))
        self.assertFalse(self.allowed("McpFunction", "s3:DeleteObject", "arn:aws:s3:::DeskBucket/desk/travel.sqlite3"))
        self.assertFalse(self.allowed("McpFunction", "bedrock:InvokeModelWithResponseStream", "arn:aws:bedrock:us-east-1::foundation-model/x"))

    def test_the_key_is_for_the_services_and_their_resources_alone(self) -> None:
        self.assertFalse(self.allowed("McpFunction", "kms:Decrypt", KEY))
        context = {"kms:ViaService": "s3.us-east-1.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::SessionsBucket"}
        self.assertFalse(self.allowed("McpFunction", "kms:Decrypt", KEY, **context))
        self.assertTrue(self.allowed("AgentApiFunction", "kms:Decrypt", KEY, **context))

    def test_models_are_called_through_the_profile_alone(self) -> None:
        model = "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0"
        self.assertFalse(self.allowed("AgentApiFunction", "bedrock:InvokeModelWithResponseStream", model))

    def test_evaluates_conditions(self) -> None:
        self.assertTrue(matches("a[b]*", "a[b]c"))
        self.assertFalse(holds("StringEquals", None, ("a",)))
        self.assertTrue(holds("StringLikeIfExists", None, ("a",)))
        self.assertTrue(holds("Null", None, ("true",)))
        with self.assertRaises(ValueError):
            holds("NumericLessThan", "1", ("2",))
