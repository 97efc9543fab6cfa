// Stored facts, read without the programs: bookings and their audit in the database, and the lines of the audit files.
import { DatabaseSync } from "node:sqlite";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

// moto refuses requests without a signature, and checks none.
const UNCHECKED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

// Runs a query on the travel desk's database, a file or an object in S3 (`http://endpoint/bucket/key`).
export async function query(database, sql, ...values) {
  const folder = mkdtempSync(join(tmpdir(), "desk-"));
  try {
    let file = database;
    if (database.startsWith("http:")) {
      const response = await fetch(database, { headers: { authorization: UNCHECKED } });
      if (response.status === 404) return [];
      if (!response.ok) throw new Error(`${database}: ${response.status}`);
      file = join(folder, "desk.sqlite3");
      writeFileSync(file, Buffer.from(await response.arrayBuffer()));
    }
    const connection = new DatabaseSync(file, { readOnly: true });
    try {
      return connection.prepare(sql).all(...values);
    } finally {
      connection.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export const bookings = (database) =>
  query(database, "SELECT b.*, e.username FROM bookings b JOIN employees e ON e.id = b.employee ORDER BY b.id");

export function lines(file) {
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));
}
