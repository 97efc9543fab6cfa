#!/usr/bin/env python3
"""Checks that programs can name each type that the public API names.

Lists the types and traits of other crates in public signatures, from rustdoc's JSON. Each is in EXTERNAL with the path at
which strands re-exports it, so that a program needs no second dependency whose version must match. A type that is not
listed fails the check: hide it, or re-export it and add it. `.ci/packages.py` compiles a program that uses each of the paths.

    .ci/external_types.py            checks all published crates
    .ci/external_types.py --paths    prints the paths of the re-exports
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CRATES = ("strands-core", "strands-models", "strands-bedrock", "strands-session", "strands-mcp", "strands-a2a", "strands-identity", "strands-guardrails", "strands-multiagent", "strands-otel", "strands-durable", "strands-serve", "strands-rs")

# Path of the definition, and path of the re-export.
EXTERNAL: dict[str, str] = {
    "aws_durable_execution_sdk::BoxError": "strands::durable::lambda::sdk::BoxError",
    "aws_durable_execution_sdk::InvocationPayload": "strands::durable::lambda::sdk::InvocationPayload",
    "aws_durable_execution_sdk::InvocationResponse": "strands::durable::lambda::sdk::InvocationResponse",
    "aws_durable_execution_sdk::context::DurableContext": "strands::durable::lambda::sdk::DurableContext",
    "aws_durable_execution_sdk::options::Options": "strands::durable::lambda::sdk::Options",
    "aws_sdk_bedrockruntime::client::Client": "strands::models::bedrock::aws_sdk_bedrockruntime::Client",
    "aws_sdk_lambda::client::Client": "strands::durable::lambda::sdk::LambdaClient",
    "aws_types::sdk_config::SdkConfig": "strands::models::bedrock::aws_config::SdkConfig",
    "axum::routing::Router": "strands::mcp::axum::Router",
    "axum_core::response::into_response::IntoResponse": "strands::serve::axum::response::IntoResponse",
    "axum_core::response::Response": "strands::serve::axum::response::Response",
    "bytes::bytes::Bytes": "strands::bytes::Bytes",
    "futures_core::future::BoxFuture": "strands::BoxFuture",
    "futures_core::stream::FusedStream": "strands::FusedStream",
    "futures_core::stream::Stream": "strands::Stream",
    "http::header::map::HeaderMap": "strands::telemetry::http::HeaderMap",
    "http::header::name::HeaderName": "strands::serve::axum::http::HeaderName",
    "http::header::value::HeaderValue": "strands::serve::axum::http::HeaderValue",
    "http::request::Parts": "strands::mcp::axum::http::request::Parts",
    "indexmap::map::IndexMap": "strands::indexmap::IndexMap",
    "lambda_runtime::types::LambdaEvent": "strands::durable::lambda::sdk::lambda_runtime::LambdaEvent",
    "object_store::ObjectStore": "strands::session::object_store::ObjectStore",
    "object_store::client::http::connection::HttpConnector": "strands::session::object_store::client::HttpConnector",
    "object_store::path::Error": "strands::session::object_store::path::Error",
    "opentelemetry::common::Value": "strands::telemetry::opentelemetry::Value",
    "opentelemetry::context::future_ext::WithContext": "strands::telemetry::opentelemetry::context::WithContext",
    "opentelemetry::metrics::meter::MeterProvider": "strands::telemetry::opentelemetry::metrics::MeterProvider",
    "opentelemetry::trace::tracer::Tracer": "strands::telemetry::opentelemetry::trace::Tracer",
    "opentelemetry::trace::tracer_provider::TracerProvider": "strands::telemetry::opentelemetry::trace::TracerProvider",
    "opentelemetry_sdk::logs::logger_provider::SdkLoggerProvider": "strands::telemetry::opentelemetry_sdk::logs::SdkLoggerProvider",
    "opentelemetry_sdk::metrics::meter_provider::SdkMeterProvider": "strands::telemetry::opentelemetry_sdk::metrics::SdkMeterProvider",
    "opentelemetry_sdk::trace::provider::SdkTracerProvider": "strands::telemetry::opentelemetry_sdk::trace::SdkTracerProvider",
    "reqwest::async_impl::client::Client": "strands::models::reqwest::Client",
    "restate_sdk::endpoint::Endpoint": "strands::durable::restate::restate_sdk::endpoint::Endpoint",
    "restate_sdk::service::IntoServiceDefinition": "strands::durable::restate::restate_sdk::service::IntoServiceDefinition",
    "schemars::JsonSchema": "strands::JsonSchema",
    "schemars::generate::SchemaGenerator": "strands::schemars::SchemaGenerator",
    "schemars::schema::Schema": "strands::schemars::Schema",
    "secrecy::SecretString": "strands::models::secrecy::SecretString",
    "serde_core::de::Deserialize": "strands::Deserialize",
    "serde_core::de::DeserializeOwned": "strands::serde::de::DeserializeOwned",
    "serde_core::ser::Serialize": "strands::Serialize",
    "serde_json::error::Error": "strands::serde_json::Error",
    "serde_json::error::Result": "strands::serde_json::Result",
    "serde_json::map::Map": "strands::serde_json::Map",
    "serde_json::raw::RawValue": "strands::serde_json::value::RawValue",
    "serde_json::value::Value": "strands::serde_json::Value",
    "tokio::io::async_read::AsyncRead": "strands::mcp::AsyncRead",
    "tokio::io::async_write::AsyncWrite": "strands::mcp::AsyncWrite",
    "tokio::net::tcp::listener::TcpListener": "strands::durable::restate::TcpListener",
    "tokio::net::addr::ToSocketAddrs": "strands::serve::ToSocketAddrs",
    "tokio_util::sync::cancellation_token::CancellationToken": "strands::CancellationToken",
    "tracing_core::subscriber::Subscriber": "strands::telemetry::tracing::Subscriber",
    "tracing_subscriber::layer::Layer": "strands::telemetry::tracing_subscriber::Layer",
    "tracing_subscriber::registry::LookupSpan": "strands::telemetry::tracing_subscriber::registry::LookupSpan",
    "uuid::Uuid": "strands::uuid::Uuid",
}

STANDARD = {"std", "core", "alloc", "proc_macro"}


def ours(path: list[str]) -> bool:
    return path[0] == "strands" or path[0].startswith("strands_")


def documentation(crate: str) -> dict:
    """The JSON of a crate's public API with all features."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    # A directory of its own, since cargo has one name for the HTML and the JSON of a crate.
    places = {"CARGO_BUILD_BUILD_DIR": str(target), "CARGO_TARGET_DIR": str(target / "json"), "RUSTDOC": str(ROOT / ".ci/unstable_rustdoc")}
    rustdoc = ["cargo", "rustdoc", "--locked", "--quiet", "-p", crate, "--lib", "--all-features"]
    flags = ["--", "-Zunstable-options", "--output-format", "json", "--cap-lints", "allow"]
    subprocess.run([*rustdoc, *flags], cwd=ROOT, env={**os.environ, **places}, check=True)
    library = "strands" if crate == "strands-rs" else crate.replace("-", "_")
    return json.loads((target / "json" / "doc" / f"{library}.json").read_text())


def named(value) -> set[int]:
    """The ids of all types and traits that a signature names."""
    if isinstance(value, list):
        return set().union(*map(named, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    here = {value["id"]} if value.keys() >= {"id", "path", "args"} else set()
    return here.union(*map(named, value.values()))


def signatures(index: dict):
    """Yields (name of the item, signature) for everything public."""
    # Functions of trait implementations have the signatures of the trait.
    inherited = set()
    for item in index.values():
        implementation = item["inner"].get("impl")
        if implementation and implementation["trait"]:
            inherited.update(implementation["items"])
    for item in index.values():
        (kind, inner), = item["inner"].items()
        if item["crate_id"] != 0 or kind in ("module", "use", "extern_crate"):
            continue
        if kind == "impl":
            if inner["is_synthetic"] or inner["blanket_impl"]:
                continue
            inner = {key: inner[key] for key in ("generics", "trait", "for")}
        elif kind == "function" and item["id"] in inherited:
            continue
        yield item, inner


def external(documented: dict) -> dict[str, str]:
    """The types of other crates in the public API, each with the name and place of an item that names it."""
    found = {}
    for item, signature in signatures(documented["index"]):
        for id in named(signature):
            summary = documented["paths"].get(str(id))
            if summary and summary["path"][0] not in STANDARD and not ours(summary["path"]):
                span = item["span"] or {"filename": "?", "begin": [0]}
                place = f"{item['name'] or next(iter(item['inner']))} ({span['filename']}:{span['begin'][0]})"
                found.setdefault("::".join(summary["path"]), place)
    return found


def main() -> None:
    if "--paths" in sys.argv:
        print("\n".join(sorted(set(EXTERNAL.values()))))
        return
    found = {}
    for crate in CRATES:
        found |= {path: f"{crate}: {place}" for path, place in external(documentation(crate)).items() if path not in found}
    new = [f"{path} in {place}: hide it, or re-export it and name its path" for path, place in found.items() if path not in EXTERNAL]
    unused = [f"{path} is in no public signature any more" for path in EXTERNAL if path not in found]
    if new or unused:
        sys.exit("\n".join(sorted(new) + sorted(unused)))
    print(f"{len(found)} types of other crates in public signatures, each re-exported")


main()
