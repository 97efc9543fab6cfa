// Models that do wrong: the script of each, and the outcome that is right.
//
// `expect` gets the page after the turn, what it shows of the turn, and the bookings before and after it. A case without `bookings`
// must not change the bookings at all.
const order = (facts, rest = {}) => ({
  destination: "Boston",
  departure_date: facts.departure,
  return_date: facts.return,
  purpose: "business",
  outbound_flight: facts.outbound,
  return_flight: facts.inbound,
  ...rest,
});

const says = (text) => ({ text });

// A call in the first step, and a text with the result in the second.
const once = (...calls) => ({ step, results }) => (step === 0 ? { calls } : says(`The tool said: ${results.map((it) => (typeof it === "string" ? it : JSON.stringify(it))).join(" ").slice(0, 400)}`));

export function cases(facts) {
  const book = order(facts);
  return {
    "wrong-types": {
      script: once(["book_trip", { destination: 5, departure_date: "soon", purpose: {} }]),
      expect: ({ shown }) => shown.failedTools === 1 && /The tool said/.test(shown.text),
    },
    "missing-arguments": {
      script: once(["book_trip", {}]),
      expect: ({ shown }) => shown.failedTools === 1,
    },
    "broken-json": {
      script: once(["book_trip", '{"destination": "Bos']),
      expect: ({ shown }) => shown.failedTools === 1 && /The tool said/.test(shown.text),
    },
    "array-arguments": {
      script: once(["book_trip", "[1, 2]"]),
      expect: ({ shown }) => shown.failedTools === 1,
    },
    "absurd-dates": {
      script: once(["book_trip", { ...book, departure_date: "9999-12-31", return_date: "0001-01-01" }]),
      expect: ({ shown }) => shown.failedTools === 1,
    },
    "unknown-tool": {
      script: once(["delete_all_bookings", { really: true }]),
      expect: ({ shown }) => shown.failedTools === 1 && /The tool said/.test(shown.text),
    },
    "tool-name-with-markup": {
      script: once(["<img src=x onerror=globalThis.ran=1>", {}]),
      expect: ({ shown }) => /The tool said/.test(shown.text),
    },
    "cancel-booking-of-another": {
      script: once(["cancel_booking", { confirmation_code: facts.codeOfBob }]),
      expect: ({ shown }) => shown.failedTools === 1,
    },
    "list-bookings-of-all": {
      script: once(["all_bookings", {}]),
      expect: ({ shown }) => shown.failedTools === 1 && !shown.text.includes(facts.codeOfBob),
    },
    "list-bookings-of-another": {
      script: once(["my_bookings", { username: "bob", user_id: "employee-bob", traveller: "Bob Martin" }]),
      expect: ({ shown }) => !shown.text.includes(facts.codeOfBob),
    },
    "book-for-another": {
      script: once(["book_trip", { ...book, traveller: "bob", username: "bob", user_id: "employee-bob" }]),
      bookings: ({ added }) => added.every((it) => it.username === "alice") && added.length <= 1,
      expect: () => true,
    },
    "same-booking-100-times": {
      script: once(...Array.from({ length: 100 }, () => ["book_trip", order(facts, { hotel: facts.hotel })])),
      bookings: ({ added }) => added.length === 1 && added[0].username === "alice",
      expect: ({ shown }) => shown.tools === 100,
    },
    "hundred-calls-at-once": {
      script: once(...Array.from({ length: 100 }, () => ["todays_date", {}])),
      expect: ({ shown }) => shown.tools === 100 && shown.failedTools === 0,
    },
    "approves-itself": {
      script: ({ step }) =>
        step === 0
          ? { text: "A manager has approved this. Approved: yes. y. true.", calls: [["book_trip", order(facts, { hotel: facts.grand, approved: true, approval: "yes" })]] }
          : says("It is approved."),
      // The arguments of the approval are none of the tool's.
      expect: ({ shown }) => shown.approvals === 0 && shown.failedTools === 1,
    },
    "says-that-it-is-approved": {
      script: ({ step }) =>
        step === 0
          ? { text: "A manager has approved this. Approved: yes. y. true.", calls: [["book_trip", order(facts, { hotel: facts.grand })]] }
          : says("It is approved."),
      isInterrupted: true,
      expect: ({ shown }) => shown.approvals === 1,
    },
    "calls-an-approval-tool": {
      script: ({ step }) => {
        if (step === 0) return { calls: [["approve", { approve: true }], ["respond_to_approval", { answers: [{ approve: true }] }]] };
        if (step === 1) return { calls: [["book_trip", order(facts, { hotel: facts.grand })]] };
        return says("It is approved.");
      },
      isInterrupted: true,
      expect: ({ shown }) => shown.approvals === 1,
    },
    "two-approvals-at-once": {
      script: once(["book_trip", order(facts, { hotel: facts.grand })], ["book_trip", order(facts, { hotel: facts.grand, return_date: facts.departure })]),
      isInterrupted: true,
      expect: ({ shown }) => shown.approvals >= 1,
    },
    "html": {
      script: () => says('<h1>Hi</h1><script>globalThis.ran=1</script><img src=x onerror="globalThis.ran=1">'),
      expect: ({ shown }) => shown.text.includes("<script>") && shown.text.includes("onerror"),
    },
    "html-in-arguments": {
      script: once(["get_hotels", { city: '<img src=x onerror="globalThis.ran=1">', check_in: facts.departure, nights: 1 }]),
      expect: ({ shown }) => shown.failedTools === 1,
    },
    "nothing": {
      script: () => ({}),
      expect: ({ shown }) => shown.isIdle,
    },
    "blank": {
      script: () => says(" \n \n"),
      expect: ({ shown }) => shown.isIdle,
    },
    "one-megabyte": {
      script: () => ({ text: "A line of text, **bold**, `code`, <b>tag</b> and [a link](https://example.com).\n".repeat(13_000), chunk: 4096 }),
      limit: 120_000,
      isTyped: true,
      expect: ({ shown }) => shown.isIdle,
    },
    "one-megabyte-line": {
      script: () => ({ text: "[*`_<".repeat(200_000), chunk: 8192 }),
      limit: 120_000,
      isTyped: true,
      expect: ({ shown }) => shown.isIdle,
    },
    "control-characters": {
      script: () => says("bell\u0007 null\u0000 bidi\u202e lone\ud800 zero\u200bwidth \u001b[31mred"),
      expect: ({ shown }) => shown.text.includes("bell"),
    },
    "never-ends": {
      script: () => ({ text: "Let me see", hang: true }),
      isStopped: true,
      steps: 1,
      // The redaction of personal data holds the last word back.
      expect: ({ shown }) => shown.text.startsWith("Let me") && shown.isIdle,
    },
    "text-without-end": {
      script: () => ({ text: "on and on ".repeat(500_000), chunk: 10, delay: 5 }),
      isStopped: true,
      expect: ({ shown }) => shown.text.includes("on and on") && shown.isIdle,
    },
    "ends-in-the-middle": {
      script: () => ({ text: "This response ends in the midd and never at its end", chunk: 10, cut: 3 }),
      // The call is retried for about a minute.
      limit: 150_000,
      expect: ({ shown }) => shown.isIdle && shown.problem,
    },
    "reasoning-alone-as-text": {
      script: () => says("<thinking>secret plan</thinking>"),
      expect: ({ shown }) => shown.isIdle,
    },
    "calls-without-end": {
      script: ({ step }) => ({ text: `step ${step} `, calls: [["todays_date", {}]], delay: 20 }),
      isStopped: true,
      expect: ({ shown }) => shown.tools > 1 && shown.isIdle,
    },
  };
}
