//! Arbitrary metrics summaries, with traces. Fields that depend on others are computed.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::arbitrary::{Fields, Json, json_value, list, text};
use crate::arbitrary_messages::{message, usage};

pub(crate) fn metrics(fields: Fields) -> Json {
    let tools = vec(tool(), 0..3).prop_map(|tools| tools.into_iter().collect());
    (any::<u64>(), seconds(), tools, usage(), any::<u64>(), list(invocation()), list(trace(fields)))
        .prop_map(|(cycles, time, tools, usage, latency, invocations, traces)| {
            json!({
                "total_cycles": cycles,
                "total_duration": time,
                "average_cycle_time": ratio(time, cycles),
                "tool_usage": Value::Object(tools),
                "accumulated_usage": usage,
                "accumulated_metrics": {"latencyMs": latency},
                "agent_invocations": invocations,
                "traces": traces,
            })
        })
        .boxed()
}

fn tool() -> impl Strategy<Value = (String, Value)> {
    (text(), text(), json_value(), any::<u32>(), any::<u32>(), seconds()).prop_map(
        |(name, id, input, successes, errors, time)| {
            let (successes, calls) = (u64::from(successes), u64::from(successes) + u64::from(errors));
            let usage = json!({
                "tool_info": {"tool_use_id": id, "name": name, "input_params": input},
                "execution_stats": {
                    "call_count": calls,
                    "success_count": successes,
                    "error_count": errors,
                    "total_time": time,
                    "average_time": ratio(time, calls),
                    "success_rate": ratio(successes as f64, calls),
                },
            });
            (name, usage)
        },
    )
}

fn invocation() -> Json {
    let cycle = (uuid(), usage()).prop_map(|(id, usage)| json!({"event_loop_cycle_id": id, "usage": usage}));
    (usage(), list(cycle.boxed())).prop_map(|(usage, cycles)| json!({"usage": usage, "cycles": cycles})).boxed()
}

fn trace(fields: Fields) -> Json {
    step(fields, Just(json!([])).boxed()).prop_recursive(2, 4, 2, move |inner| step(fields, list(inner))).boxed()
}

fn step(fields: Fields, children: Json) -> Json {
    let ids = (uuid(), prop::option::of(uuid()));
    let names = (text(), prop::option::of(text()));
    // Microseconds up to the year 2100, nanoseconds up to 100 days.
    let times = (0..4_102_444_800_000_000_u64, prop::option::of(0..8_640_000_000_000_000_u64));
    (ids, names, times, children, prop::option::of(message(fields)))
        .prop_map(|((id, parent), (name, raw_name), (start, took), children, message)| {
            let (start, took) = (Duration::from_micros(start), took.map(Duration::from_nanos));
            json!({
                "id": id,
                "name": name,
                "raw_name": raw_name,
                "parent_id": parent,
                "start_time": start.as_secs_f64(),
                "end_time": took.map(|took| (start + took).as_secs_f64()),
                "duration": took.map(|took| took.as_secs_f64()),
                "children": children,
                "metadata": {},
                "message": message,
            })
        })
        .boxed()
}

fn uuid() -> BoxedStrategy<String> {
    "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}".boxed()
}

fn seconds() -> BoxedStrategy<f64> {
    any::<u64>().prop_map(|nanoseconds| Duration::from_nanos(nanoseconds).as_secs_f64()).boxed()
}

fn ratio(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}
