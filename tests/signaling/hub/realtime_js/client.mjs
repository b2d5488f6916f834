// Supabase's JavaScript client, driven by lines of JSON: [command, ...arguments] in, [what, value] out.
import { createInterface } from "node:readline";
import { RealtimeClient } from "@supabase/realtime-js";
import WebSocket from "ws";

const [url, key, vsn] = process.argv.slice(2);
const client = new RealtimeClient(url, { params: { apikey: key }, transport: WebSocket, vsn });
const bytes = (text) => new TextEncoder().encode(text).buffer;
const isBytes = (payload) => payload instanceof ArrayBuffer;
const readable = (payload) => (isBytes(payload) ? { bytes: [...new Uint8Array(payload)] } : payload);
const tell = (what, value) => console.log(JSON.stringify([what, value ?? null]));
const send = (event, payload) => channel.send({ type: "broadcast", event, payload });
let channel;

const commands = {
  join(room, config) {
    channel = client
      .channel(room, { config })
      .on("broadcast", { event: "*" }, (m) => tell(m.event, readable(m.payload)))
      .on("presence", { event: "join" }, (m) => tell("joined", m.key))
      .on("presence", { event: "leave" }, (m) => tell("left", m.key))
      .on("presence", { event: "sync" }, () => tell("present", Object.keys(channel.presenceState())))
      .subscribe((state, error) => tell(state, error?.message));
  },
  track: async (state) => tell("tracked", await channel.track(state)),
  untrack: async () => tell("untracked", await channel.untrack()),
  send: async (event, payload) => tell("sent", await send(event, payload)),
  sendBytes: async (event, text) => tell("sent", await send(event, bytes(text))),
  heartbeat: async () => {
    client.onHeartbeat((status) => tell("heartbeat", status));
    await client.sendHeartbeat();
  },
  leave: async () => tell("unsubscribed", await channel.unsubscribe()),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = JSON.parse(line);
  await commands[command](...rest);
}
await client.disconnect();
process.exit(); // timers of pushes without a reply would keep it for 10 s
