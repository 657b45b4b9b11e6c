// Preloaded with `node --import lib/redirect.mjs script.mjs`: the venue is where the simulator listens.
//
// A client library opens its usual address, say fapi.binance.com:443.  Only the TCP connection goes elsewhere, to
// POISE_SIM_PORT on 127.0.0.1.  The TLS server name, the name the certificate is checked against and the Host header
// stay what the library asked for, so one simulator can tell the hosts apart and verification stays on.
//
//   POISE_SIM_PORT   where poise-sim listens
//   POISE_VENUES     domains that count as venues, by commas (default binance.com,binance.vision,deribit.com)
//
// Whatever is neither a venue nor loopback is refused: other hosts, addresses, datagrams, name lookups.  A test that
// reached the real venue would prove nothing and could trade.
import dgram from 'node:dgram'
import dns from 'node:dns'
import net from 'node:net'

const port = Number(process.env.POISE_SIM_PORT)
const venues = (process.env.POISE_VENUES || 'binance.com,binance.vision,deribit.com').split(',').filter(Boolean)

if (!(port > 0 && port < 65536)) {
  throw new Error('POISE_SIM_PORT does not say where the simulator listens')
}

/* Hosts that were asked for and led to the simulator, for the closing line of a test. */
export const reached = new Set()

const isLoopback = host => host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
const isVenue = host => venues.some(domain => host === domain || host.endsWith('.' + domain))

function refusal (what) {
  const error = new Error(`refused by the redirect: ${what} is neither a venue nor loopback`)
  error.code = 'ECONNREFUSED'
  return error
}

/* Where a connection goes: answers the options to use instead, or throws. */
function leadTo (options) {
  if (options.path !== undefined && options.path !== null && options.host === undefined) {
    throw refusal(`the socket ${options.path}`)
  }
  const host = String(options.host ?? 'localhost').toLowerCase().replace(/\.$/, '')
  if (isLoopback(host)) {
    return options
  }
  if (!isVenue(host)) {
    throw refusal(host)
  }
  reached.add(host)
  // A copy: the caller's own options still hold the name that TLS asks for and checks.
  return { ...options, host: '127.0.0.1', port, lookup: undefined, autoSelectFamily: false }
}

const plainConnect = net.Socket.prototype.connect

net.Socket.prototype.connect = function (...given) {
  try {
    if (Array.isArray(given[0])) {
      // node's own form [options, callback], marked by a symbol: the array has to stay the same one
      given[0][0] = leadTo(given[0][0])
    } else if (given[0] !== null && typeof given[0] === 'object') {
      given[0] = leadTo(given[0])
    } else if (typeof given[0] === 'string' && Number.isNaN(Number(given[0]))) {
      throw refusal(`the socket ${given[0]}`)
    } else {
      const named = typeof given[1] === 'string'
      const options = leadTo({ port: Number(given[0]), host: named ? given[1] : 'localhost' })
      given.splice(0, named ? 2 : 1, options)
    }
  } catch (error) {
    process.nextTick(() => this.destroy(error))
    return this
  }
  return plainConnect.apply(this, given)
}

/* Nothing here needs a name resolved: venues are led by name, and the loopback addresses are numbers. */
const plainLookup = dns.lookup

dns.lookup = function (host, ...rest) {
  if (isLoopback(host) || net.isIP(host)) {
    return plainLookup.call(dns, host, ...rest)
  }
  process.nextTick(rest[rest.length - 1], refusal(`a lookup of ${host}`))
}
for (const name of ['resolve', 'resolve4', 'resolve6', 'resolveAny', 'resolveTxt', 'resolveSrv']) {
  dns[name] = (host, ...rest) => process.nextTick(rest[rest.length - 1], refusal(`a lookup of ${host}`))
}
dns.promises.lookup = dns.promises.resolve = async host => { throw refusal(`a lookup of ${host}`) }
dgram.Socket.prototype.send = dgram.Socket.prototype.connect = function () { throw refusal('a datagram') }
