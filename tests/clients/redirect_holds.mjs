// Does the preload hold?  Whatever is no venue is refused before a packet leaves; a venue is the simulator, with the
// venue's name in TLS and Host.
import dgram from 'node:dgram'
import dns from 'node:dns'
import https from 'node:https'
import net from 'node:net'
import tls from 'node:tls'

import { reached } from './lib/redirect.mjs'
import { assert, finish, load, refused, step } from './lib/steps.mjs'

const WebSocket = load('ws')

const get = (url, options = {}) => new Promise((resolve, reject) => {
  https.get(url, options, reply => {
    let text = ''
    reply.on('data', part => { text += part }).on('end', () => resolve({ status: reply.statusCode, text, socket: reply.socket }))
  }).on('error', reject)
})
const opened = socket => new Promise((resolve, reject) => socket.on('connect', resolve).on('error', reject))
async function turnedAway (promise) {
  const error = await refused(promise)
  assert.match(String(error.cause ?? error), /refused by the redirect/)
}

await step('a venue host is the simulator, under the venue\'s name', async () => {
  const it = await get('https://api.binance.com/api/v3/time')
  assert.equal(it.status, 200)
  assert(JSON.parse(it.text).serverTime > 0)
  const socket = tls.connect({ host: 'fapi.binance.com', port: 443, servername: 'fapi.binance.com' })
  await new Promise((resolve, reject) => socket.on('secureConnect', resolve).on('error', reject))
  assert.deepEqual([socket.remoteAddress, socket.servername, socket.authorized], ['127.0.0.1', 'fapi.binance.com', true])
  socket.destroy()
})
await step('the certificate is checked, against the name that was asked for', async () => {
  const unknown = await refused(get('https://api.binance.com/api/v3/time', { ca: [...tls.rootCertificates], agent: false }))
  assert.match(unknown.code, /SELF_SIGNED|UNABLE_TO|CERT/)
  const other = await refused(get('https://api.binance.com/api/v3/time', { servername: 'binance.com.example', agent: false }))
  assert.equal(other.code, 'ERR_TLS_CERT_ALTNAME_INVALID')
})
await step('any other host is refused: https, fetch, WebSocket, a bare socket, an address', async () => {
  for (const host of ['www.example.com', 'binance.com.example.com', 'notbinance.com', '192.0.2.1', '[2001:db8::1]']) {
    await turnedAway(get(`https://${host}/`, { agent: false }))
    await turnedAway(fetch(`https://${host}/`))
    await turnedAway(new Promise((resolve, reject) => new WebSocket(`wss://${host}/ws`).on('open', resolve).on('error', reject)))
  }
  await turnedAway(opened(net.connect(443, '192.0.2.1')))
  await turnedAway(opened(net.connect({ port: 443, host: 'www.example.com' })))
  await turnedAway(opened(net.connect('/tmp/a-socket')))
  await turnedAway(opened(net.connect({ path: '/tmp/a-socket' })))
})
await step('names are not looked up and datagrams are not sent', async () => {
  await turnedAway(new Promise((resolve, reject) => dns.lookup('www.example.com', error => error ? reject(error) : resolve())))
  await turnedAway(new Promise((resolve, reject) => dns.resolve4('www.example.com', error => error ? reject(error) : resolve())))
  await turnedAway(dns.promises.lookup('www.example.com'))
  const socket = dgram.createSocket('udp4')
  assert.throws(() => socket.send('x', 53, '192.0.2.1'), /refused by the redirect/)
  socket.close()
})
assert(![...reached].some(host => !host.endsWith('.binance.com')))
finish('redirect_holds', reached)
