#!/usr/bin/env python3
"""Computes what 1,000 conversations with the travel agent cost on each deployment, from the inputs in `costs.toml`.

    deploy/costs.py [FILE.toml] [SECTION.NAME=VALUE ..]     e.g. deploy/costs.py conversation.turns=6 conversation.cached_share=0.7
"""

import sys
import tomllib
from pathlib import Path

THOUSAND = 1000
MILLION = 1e6
HOURS = 730


class Inputs:
    """The sections of the file as objects."""

    def __init__(self, values: dict) -> None:
        for name, value in values.items():
            setattr(self, name, Inputs(value) if isinstance(value, dict) else value)


def read(arguments: list[str]) -> Inputs:
    files = [argument for argument in arguments if "=" not in argument]
    values = tomllib.loads(Path(files[0] if files else Path(__file__).with_name("costs.toml")).read_text())
    for argument in arguments:
        if "=" in argument:
            name, value = argument.split("=", 1)
            section, name = name.split(".", 1)
            if name not in values.get(section, {}):
                sys.exit(f"costs.toml has no {section}.{name}")
            values[section][name] = type(values[section][name])(value)
    return Inputs(values)


def model(inputs: Inputs) -> float:
    talk, prices = inputs.conversation, inputs.prices
    calls = talk.turns * talk.model_calls_per_turn
    paid = prices.model_cached_input * talk.cached_share + prices.model_input * (1 - talk.cached_share)
    return THOUSAND * calls * (talk.input_tokens * paid + talk.output_tokens * prices.model_output) / MILLION


def turn_seconds(talk: Inputs) -> float:
    """Returns the seconds from a prompt to the end of its response."""
    return talk.model_calls_per_turn * talk.model_seconds + talk.tool_calls_per_turn * talk.tool_seconds + talk.own_seconds


def functions(inputs: Inputs, *names: str) -> float:
    """Returns the price of the functions, by their time and their requests."""
    talk, sizes, prices = inputs.conversation, inputs.functions, inputs.prices
    tools = talk.turns * talk.tool_calls_per_turn
    cold = talk.cold_share * talk.cold_seconds
    work = {
        "agent": (talk.turns, talk.turns * (turn_seconds(talk) + cold), sizes.agent_megabytes),
        "mcp": (tools, tools * (talk.tool_seconds + cold), sizes.mcp_megabytes),
        "authorizer": (
            sizes.authorizations_per_conversation,
            sizes.authorizations_per_conversation * (sizes.authorizer_seconds + cold),
            sizes.authorizer_megabytes,
        ),
    }
    requests = sum(work[name][0] for name in names)
    gigabyte_seconds = sum(seconds * megabytes / 1024 for _, seconds, megabytes in (work[name] for name in names))
    return THOUSAND * (requests * prices.lambda_requests / MILLION + gigabyte_seconds * prices.lambda_gigabyte_second)


def mcp_api(inputs: Inputs) -> float:
    return THOUSAND * inputs.conversation.turns * inputs.conversation.tool_calls_per_turn * inputs.prices.http_api_requests / MILLION


def storage(inputs: Inputs) -> float:
    talk, store, prices = inputs.conversation, inputs.storage, inputs.prices
    puts = talk.turns * (store.session_puts + store.session_lists) + store.desk_puts_per_conversation
    gets = talk.turns * (store.session_gets + store.desk_gets)
    gigabytes = THOUSAND * talk.turns * store.kilobytes_per_turn / MILLION
    return puts * prices.s3_puts + gets * prices.s3_gets + gigabytes * store.months_stored * prices.s3_gigabyte_month


def logs(inputs: Inputs) -> float:
    talk = inputs.conversation
    requests = talk.turns * (1 + talk.tool_calls_per_turn)
    return THOUSAND * requests * talk.log_kilobytes / MILLION * inputs.prices.log_gigabyte


def agentcore(inputs: Inputs) -> float:
    runtime, prices = inputs.agentcore, inputs.prices
    busy = inputs.conversation.turns * turn_seconds(inputs.conversation)
    cpu = busy * runtime.vcpu * runtime.vcpu_busy_share * prices.agentcore_vcpu_hour
    memory = (busy + runtime.idle_seconds) * runtime.gigabytes * prices.agentcore_gigabyte_hour
    return THOUSAND * (cpu + memory) / 3600


def ecs_month(inputs: Inputs) -> float:
    ecs, prices = inputs.ecs, inputs.prices
    task = ecs.vcpu * prices.fargate_vcpu_hour + ecs.gigabytes * prices.fargate_gigabyte_hour
    balancer = prices.balancer_hour + ecs.capacity_units * prices.balancer_unit_hour
    return HOURS * (ecs.tasks * task + balancer + ecs.nat_gateways * prices.nat_hour)


def deployments(inputs: Inputs) -> dict[str, dict[str, float]]:
    common = {"model": model(inputs), "S3": storage(inputs), "logs": logs(inputs)}
    return {
        "Lambda": {**common, "functions": functions(inputs, "agent", "mcp", "authorizer"), "MCP API": mcp_api(inputs)},
        "AgentCore": {
            **common,
            "runtime": agentcore(inputs),
            "functions": functions(inputs, "mcp", "authorizer"),
            "MCP API": mcp_api(inputs),
        },
        "ECS": {**common, "tasks, balancer, NAT": ecs_month(inputs) * THOUSAND / inputs.ecs.conversations_per_month},
    }


def main() -> None:
    inputs = read(sys.argv[1:])
    print(f"US dollars for 1,000 conversations of {inputs.conversation.turns} turns, {turn_seconds(inputs.conversation):.1f} s each")
    print(f"Prices: {inputs.prices.as_of}\n")
    found = deployments(inputs)
    rows = list(dict.fromkeys(row for parts in found.values() for row in parts))
    print(f"| part | {' | '.join(found)} |\n|---|{'---:|' * len(found)}")
    for row in rows:
        print(f"| {row} | {' | '.join(f'{parts[row]:.2f}' if row in parts else '' for parts in found.values())} |")
    print(f"| **sum** | {' | '.join(f'**{sum(parts.values()):.2f}**' for parts in found.values())} |")
    without = [sum(price for name, price in parts.items() if name != "model") for parts in found.values()]
    print(f"| without the model | {' | '.join(f'{price:.2f}' for price in without)} |")
    prices = inputs.prices
    fixed = prices.key_month + prices.secret_month + inputs.functions.alarms * prices.alarm_month
    print(f"\nFixed, per month: key, secret and {inputs.functions.alarms} alarms {fixed:.2f}.")
    print(f"ECS: {ecs_month(inputs):.2f} per month, shared by {inputs.ecs.conversations_per_month} conversations.")


main()
