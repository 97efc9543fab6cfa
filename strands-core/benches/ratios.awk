# Reads the output of `cargo bench` and prints, for each group, the times as ratios to those of the hand-written loop: the
# medians, or with `-v column=1` the fastest times, which other work on the machine disturbs least.
BEGIN { if (!column) column = 3 }
function nanoseconds(number, unit) {
    return number * (unit == "ns" ? 1 : unit == "ms" ? 1e6 : unit == "s" ? 1e9 : 1e3)
}
{
    gsub(/│/, " ")
    if (!match($0, /(├|╰)─ /)) next
    depth = int((RSTART - 1) / 3)
    rest = substr($0, RSTART + RLENGTH)
    split(rest, words, " ")
    path[depth] = words[1]
    time = 0
    seen = 0
    for (at = 2; (at in words) && words[at] != ""; at++) {
        if (words[at + 1] ~ /^(ns|µs|ms|s)$/ && words[at] ~ /^[0-9.]+$/ && ++seen == column) {
            time = nanoseconds(words[at], words[at + 1])
        }
    }
    delete words
    if (!time) next
    # An argument is the last part of a path; a benchmark without one ends with its own name.
    argument = (path[depth] ~ /^[0-9]+$/) ? path[depth] : ""
    at = argument == "" ? depth : depth - 1
    group = ""
    for (part = 0; part < at; part++) group = group (part ? "::" : "") path[part]
    row = group " " argument
    if (!(row in known)) { known[row] = 1; rows[++count] = row }
    times[row, path[at]] = time
}
END {
    print "| work | awaited | streamed |"
    print "|---|---|---|"
    for (at = 1; at <= count; at++) {
        row = rows[at]
        base = times[row, "hand_written"]
        if (!base) continue
        awaited = times[row, "agent_awaited"]
        streamed = times[row, "agent_streamed"]
        printf "| %s | %s | %s |\n", row, awaited ? sprintf("%.2f", awaited / base) : "", streamed ? sprintf("%.2f", streamed / base) : ""
    }
}
