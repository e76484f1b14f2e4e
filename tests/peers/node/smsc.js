// An SMSC on node-smpp, steered by JSON lines on stdin, telling what happens in JSON lines on stdout: see ../steered.py.
//
// Start:  node smsc.js '{"system_id": "gateway", "password": "secret", "port": 0, "key"?: PEM, "cert"?: PEM}'
// Beside the common commands it writes a text by itself: {"command": "deliver", ..., "text": "..."} without "hex".
'use strict';

const readline = require('readline');
const smpp = require('smpp');

const settings = Object.assign({system_id: 'gateway', password: 'secret', port: 0}, JSON.parse(process.argv[2] || '{}'));
const behaviour = {statuses: [], receipts: '', hold: false, reversed: 0};
const INTEGERS = new Set([smpp.types.tlv.int8, smpp.types.tlv.int16, smpp.types.tlv.int32]);
const waiting = [];
let bound = null;
let lastId = 1000;

function tell(event, details) {
  process.stdout.write(JSON.stringify(Object.assign({event}, details)) + '\n');
}

function onBind(session, pdu, mode) {
  const status = pdu.system_id !== settings.system_id ? smpp.ESME_RINVSYSID
    : pdu.password !== settings.password ? smpp.ESME_RINVPASWD : 0;
  if (status) {
    session.send(pdu.response({command_status: status}));
    tell('bind_refused', {status});
    session.close();
    return;
  }
  session.send(pdu.response({system_id: 'NODESMSC', sc_interface_version: 0x34}));
  if (mode !== 'transmitter') {
    bound = session;
  }
  tell('bound', {system_id: pdu.system_id, interface_version: pdu.interface_version});
}

function toldOf(pdu) {
  const told = {};
  for (const [name, tlv] of Object.entries(smpp.tlvs)) {
    if (tlv.tag === name && pdu[name] !== undefined && name !== 'message_payload') {
      told[name] = Buffer.isBuffer(pdu[name]) ? pdu[name].toString('hex') : pdu[name];
    }
  }
  return told;
}

function onSubmit(session, pdu) {
  const status = behaviour.statuses.length ? behaviour.statuses.shift() : 0;
  const id = (++lastId).toString(16).toUpperCase();
  const content = (pdu.short_message || {}).message ? pdu.short_message : pdu.message_payload || {};
  const header = (content.udh || []).find((element) => element[0] === 0);
  tell('submit', {
    id, status, source: pdu.source_addr, source_ton: pdu.source_addr_ton, source_npi: pdu.source_addr_npi,
    destination: pdu.destination_addr, destination_ton: pdu.dest_addr_ton, destination_npi: pdu.dest_addr_npi,
    data_coding: pdu.data_coding, esm_class: pdu.esm_class, registered_delivery: pdu.registered_delivery,
    text: content.message, part: header ? Array.from(header).slice(2) : null, tlvs: toldOf(pdu),
  });
  if (behaviour.hold) {
    return;
  }
  waiting.push(() => answer(session, pdu, status, id));
  if (waiting.length < behaviour.reversed) {
    return;
  }
  behaviour.reversed = 0;
  while (waiting.length) {
    waiting.pop()();
  }
}

function answer(session, pdu, status, id) {
  const reports = !status && pdu.registered_delivery & 1 ? behaviour.receipts : '';
  if (reports === 'before') {
    sendReceipt(pdu, id);
  }
  session.send(pdu.response(status ? {command_status: status} : {message_id: id}));
  if (reports === 'after') {
    sendReceipt(pdu, id);
  }
}

function sendReceipt(pdu, id) {
  bound.deliver_sm({
    source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4, data_coding: 0,
    short_message: `id:${id} sub:001 dlvrd:001 submit date:2611220800 done date:2611220800 stat:DELIVRD err:000 text:`,
    receipted_message_id: id, message_state: 2,
  }, (resp) => tell('resp', {ref: `receipt:${id}`, status: resp.command_status}));
}

function valueOf(tlv, octets) {
  if (INTEGERS.has(tlv.type)) {
    return octets.readUIntBE(0, octets.length);
  }
  return tlv.type === smpp.types.tlv.cstring ? octets.toString('latin1').replace(/\0$/, '') : octets;
}

function optional(tlvs) {
  return Object.fromEntries((tlvs || []).map(([tag, hex]) => {
    const tlv = smpp.tlvsById[tag];
    return [tlv.tag, valueOf(tlv, Buffer.from(hex, 'hex'))];
  }));
}

const COMMANDS = {
  deliver(order) {
    bound.deliver_sm(Object.assign({
      source_addr_ton: 1, source_addr_npi: 1, source_addr: order.source, destination_addr: order.destination,
      data_coding: order.data_coding, esm_class: order.esm_class || 0,
      short_message: order.hex === undefined ? order.text : Buffer.from(order.hex, 'hex'),
    }, optional(order.tlvs)), (resp) => tell('resp', {ref: order.ref, status: resp.command_status}));
  },
  behave(order) {
    const {command, ...changes} = order;
    Object.assign(behaviour, changes);
    tell('behaves');
  },
  enquire() {
    bound.enquire_link({}, () => tell('enquired'));
  },
  unbind() {
    bound.unbind({}, () => {
      tell('unbound', {by: 'smsc'});
      bound.close();
    });
  },
  drop() {
    bound.destroy();
  },
  stop() {
    process.exit(0);
  },
};

const server = smpp.createServer(settings.key ? {key: settings.key, cert: settings.cert} : {}, (session) => {
  for (const mode of ['transceiver', 'transmitter', 'receiver']) {
    session.on(`bind_${mode}`, (pdu) => onBind(session, pdu, mode));
  }
  session.on('submit_sm', (pdu) => onSubmit(session, pdu));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    tell('unbound', {by: 'esme'});
    session.close();
  });
  session.on('close', () => tell('closed'));
  session.on('error', (error) => tell('failed', {reason: String(error.code || error.message)}));
});
server.on('tlsClientError', (error) => tell('failed', {reason: String(error.code || error.message)}));
server.listen(settings.port, '127.0.0.1', () => tell('listening', {port: server.address().port}));

const orders = readline.createInterface({input: process.stdin});
orders.on('line', (line) => {
  const order = JSON.parse(line);
  COMMANDS[order.command](order);
});
orders.on('close', () => process.exit(0));
