// The service as one would write it with Node.js: express, ioredis, pg, a process a responder. It checks
// what a client sends, but keeps none of our promises; see others.bash.
'use strict';
const cluster = require('node:cluster');
const crypto = require('node:crypto');

if (cluster.isPrimary) {
  for (let i = 0; i < Number(process.env.RESPONDERS); i++) cluster.fork();
  process.on('SIGTERM', () => process.exit(0));
} else {
  const express = require('express');
  const Redis = require('ioredis');
  const { Pool } = require('pg');
  const { WebSocketServer } = require('ws');

  const redis = new Redis({ path: `${process.env.SOCKETS}/redis.sock` });
  const pool = new Pool({ host: process.env.SOCKETS, port: Number(process.env.POSTGRES_PORT),
    database: process.env.POSTGRES_DB, user: process.env.POSTGRES_USER, max: 4 });
  let connections = 0; // each writes into a row of the counters of its own
  pool.on('connect', (client) => { client.stripe = 1 + ((cluster.worker.id - 1) * 4 + connections++) % 64; });
  const keys = new Set(process.env.VALID_API_KEYS.split(','));
  redis.defineCommand('admit', { numberOfKeys: 6, lua: process.env.ADMIT });
  const runId = redis.info('server').then((text) => /run_id:(\w+)/.exec(text)[1]);

  // As calls/id.c: UUIDv7 whose last byte is the hash of the API key.
  const hash = (key) => {
    let h = 2166136261;
    for (const c of Buffer.from(key)) h = Math.imul(h ^ c, 16777619) >>> 0;
    return (h ^ h >>> 8 ^ h >>> 16 ^ h >>> 24) & 255;
  };
  const newId = (key) => {
    const b = crypto.randomBytes(16);
    b.writeUIntBE(Date.now(), 0, 6);
    b[6] = 0x70 | b[6] & 15;
    b[8] = 0x80 | b[8] & 63;
    b[15] = hash(key);
    return b.toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };
  const shard = (id) => `mcs:2:{${id[35]}}:`;

  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(express.json({ limit: '64kb' }));
  app.get('/health', (req, res) => res.json({ status: 'healthy', timestamp: new Date(), uptime: process.uptime() }));
  app.use((req, res, next) => {
    const [scheme, key] = (req.get('authorization') || '').split(' ');
    if (scheme !== 'Bearer' || !keys.has(key)) return res.status(401).json({ error: 'Unauthorized' });
    req.key = key;
    return next();
  });

  app.get('/calls/:id', async (req, res) => {
    const packed = await redis.get(`${shard(req.params.id)}call:${req.params.id}`);
    if (!packed) return res.status(404).json({ error: 'Not Found' });
    const [line, metadata] = packed.split('\n');
    const f = line.split(' ');
    return res.json({ call_id: f[0], status: 'QUEUED', from: f[9], to: f[10], metadata: JSON.parse(metadata),
      recording_url: null, created_at: new Date(Number(f[2].split(',')[0])), updated_at: new Date(Number(f[3])) });
  });

  app.post('/calls', async (req, res) => {
    const { from, to, metadata = {} } = req.body;
    if (!/^\+?\d{1,15}$/.test(from) || !/^\+?\d{1,15}$/.test(to)) return res.status(400).json({ error: 'Bad Request' });
    const id = newId(req.key);
    const at = shard(id);
    const text = JSON.stringify(metadata);
    const admitted = await redis.admit(`${at}ready`, `${at}clock`, `${at}call:${id}`, `${at}slots:${req.key}`,
      `${at}window:${req.key}`, `${at}due`, await runId, id, 1000000, 1000000, `${id} advance 1`, 1500000, 12000000,
      `ANSWERED 1500,4000,3000,2500 0 WAITING 0 0 ${from} ${to} ${req.key} -\n${text}`, '');
    if (admitted[0] !== 1) return res.status(429).json({ error: 'Rate limit exceeded' });
    const client = await pool.connect();
    await client.query({ name: 'insert', text: process.env.INSERT, values: [id, from, to, text, req.key, admitted[2],
      'ANSWERED', '{1500,4000,3000,2500}', 0, admitted[1], client.stripe] }).finally(() => client.release());
    return res.status(201).json({ call_id: id, status: 'QUEUED', websocket_url: `ws://${req.get('host')}/ws?call_id=${id}`,
      from, to, created_at: new Date(admitted[2]) });
  });

  const server = app.listen(Number(process.env.OTHERS_PORT), '127.0.0.1', 1024);

  // Events come as push.c gets them: the call's id, then a frame, of which ws needs the text.
  const subscribers = new Map();
  new WebSocketServer({ server, path: '/ws', perMessageDeflate: false }).on('connection', (socket, req) => {
    const id = new URL(req.url, 'ws://localhost').searchParams.get('call_id');
    if (!subscribers.has(id)) subscribers.set(id, new Set());
    const those = subscribers.get(id).add(socket);
    socket.on('error', () => {});
    socket.on('close', () => those.delete(socket) && those.size === 0 && subscribers.delete(id));
  });
  const events = new Redis({ path: `${process.env.SOCKETS}/redis.sock` });
  events.subscribe('bench:push');
  events.on('messageBuffer', (channel, message) => {
    const text = message.toString('utf8', message[37] === 126 ? 40 : 38);
    for (const socket of subscribers.get(message.toString('latin1', 0, 36)) || []) socket.send(text);
  });
}
