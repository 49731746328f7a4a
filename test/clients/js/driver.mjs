// Makes calls with the AWS SDK for JavaScript v3. Each line of the standard input
// is a call, each line of the standard output its answer; see driver_test.go.
import { createInterface } from "node:readline";
import * as kms from "@aws-sdk/client-kms";

const clients = new Map();

// client answers the client of an endpoint, Region and user.
function client({ endpoint, region, accessKeyId, secretAccessKey }) {
  const name = `${endpoint} ${region} ${accessKeyId}`;
  if (!clients.has(name)) {
    const credentials = { accessKeyId, secretAccessKey };
    clients.set(name, new kms.KMSClient({ endpoint, region, credentials }));
  }
  return clients.get(name);
}

function members(object, change) {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]));
}

// typed makes of JSON what the SDK takes.
function typed(value) {
  if (Array.isArray(value)) return value.map(typed);
  if (value === null || typeof value !== "object") return value;
  if ("$bytes" in value) return Buffer.from(value.$bytes, "base64");
  if ("$time" in value) return new Date(value.$time * 1000);
  return members(value, typed);
}

// plain makes JSON of what the SDK answers.
function plain(value) {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Date) return value.getTime() / 1000;
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return members(value, plain);
}

async function answer(call) {
  const Command = kms[`${call.op}Command`];
  if (Command === undefined) return { unknown: `there is no ${call.op}Command` };
  try {
    const { $metadata, ...out } = await client(call).send(new Command(typed(call.in)));
    return { requestId: $metadata.requestId, status: $metadata.httpStatusCode, out: plain(out) };
  } catch (error) {
    if (!(error instanceof kms.KMSServiceException)) throw error;
    // The SDK's word for an error without a message.
    const message = error.message === "UnknownError" ? "" : error.message;
    const { requestId, httpStatusCode: status } = error.$metadata;
    return { requestId, status, error: error.name, message };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
