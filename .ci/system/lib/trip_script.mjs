// Script of the model for bookings: `book CITY DATE NIGHTS HOTEL MARKER`. HOTEL is `allowed`, or `grand` for one above the limit.
// Spaces in a city are underscores.
export function book({ prompt, step, results }) {
  const [, place, departure, nights, wish, marker] = prompt.trim().split(/\s+/);
  const city = place.replaceAll("_", " ");
  const return_ = new Date(Date.parse(departure) + Number(nights) * 86_400_000).toISOString().slice(0, 10);
  if (step === 0) {
    return {
      text: `${marker}: looking for flights. `,
      calls: [
        ["search_flights", { destination: city, date: departure }],
        ["search_flights", { origin: city, date: return_ }],
        ["get_hotels", { city, check_in: departure, nights: Number(nights) }],
      ],
    };
  }
  if (step === 1) {
    const [there, back, stays] = results;
    const hotel = stays?.hotels?.find((it) => it.within_policy === (wish === "allowed"));
    if (!there?.flights?.length || !back?.flights?.length || !hotel) return { text: `${marker}: nothing is free` };
    const order = { destination: city, departure_date: departure, return_date: return_, purpose: "business" };
    order.outbound_flight = there.flights[0].number;
    order.return_flight = back.flights[0].number;
    order.hotel = hotel.id;
    return { text: `${marker}: booking. `, calls: [["book_trip", order]] };
  }
  const booked = results.at(-1);
  const code = booked?.confirmation_code;
  return { text: code ? `${marker}: booked ${code}` : `${marker}: not booked: ${typeof booked === "string" ? booked : JSON.stringify(booked)}` };
}

export const CITIES = ["Boston", "San_Francisco", "Washington", "Miami", "Chicago", "Los_Angeles", "Seattle", "Austin", "Atlanta", "Dallas", "Phoenix", "Las_Vegas"];

// Returns the prompt of a trip at a random place and time.
export function tripPrompt(random, hotel, marker) {
  const departure = new Date(Date.now() + (2 + random.below(300)) * 86_400_000).toISOString().slice(0, 10);
  return `book ${random.pick(CITIES)} ${departure} ${1 + random.below(3)} ${hotel} ${marker}`;
}

export const CODE = /booked ([A-Z0-9]{6,12})/;
