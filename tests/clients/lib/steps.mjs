// What the scripts of this folder share: steps with a verdict, inboxes of events, and the simulator's own books.
//
// A script is a list of steps.  Each prints `ok` or `FAIL` with what it saw and what it took; a failed step does not
// stop the next.  finish() prints `NAME: N passed, M failed`, which tests/clients/run adds up, and exits 1 when
// something failed.  A rejected promise that nobody waits for is a failure too.
//
//   POISE_SDK        the folder whose node_modules holds the clients
//   POISE_KEY, POISE_SECRET        the account's HMAC key
//   POISE_ED_KEY, POISE_ED_SECRET  the same account's Ed25519 key: its id, and a file with the private key as PEM
//   POISE_ACCOUNT    the account's name in the simulator's report (its first key)
//   POISE_CONTROL_PORT  the simulator's control port, plain HTTP
//   POISE_VERBOSE=1  lets the clients chatter
import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'

export { assert }

const env = process.env
export const key = env.POISE_KEY
export const secret = env.POISE_SECRET
export const edKey = env.POISE_ED_KEY
export const edSecret = env.POISE_ED_SECRET ? fs.readFileSync(env.POISE_ED_SECRET, 'utf8') : undefined

/* The clients are installed outside the sources. */
export const load = createRequire(path.join(path.resolve(env.POISE_SDK || '.'), 'package.json'))

const say = console.log.bind(console)
if (!env.POISE_VERBOSE) {
  console.log = console.info = console.warn = console.error = () => {}
}

const STEP_MS = 10000
let passed = 0
let failed = 0
let running = 'start'

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

/* What a client threw, in one line: each library wraps the venue's code and sentence in its own way. */
function tell (error) {
  if (error instanceof Error) {
    return `${error.name}: ${error.message}`.replace(/\s+/g, ' ').slice(0, 400)
  }
  try {
    return JSON.stringify(error).slice(0, 400)
  } catch {
    return String(error).slice(0, 400)
  }
}

function fail (name, error) {
  failed++
  say(`FAIL ${name}: ${tell(error)}`)
}

/* step runs one piece of the journey; what it answers is shown, and given to the caller (undefined when it failed). */
export async function step (name, body, limitMs = STEP_MS) {
  const begin = process.hrtime.bigint()
  let timer

  running = name
  try {
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`nothing after ${limitMs} ms`)), limitMs)
    })
    const result = await Promise.race([body(), late])
    const ms = Number(process.hrtime.bigint() - begin) / 1e6
    passed++
    say(`ok   ${name} (${ms.toFixed(1)} ms)${result === undefined ? '' : ' ' + JSON.stringify(result).slice(0, 240)}`)
    return result
  } catch (error) {
    fail(name, error)
  } finally {
    clearTimeout(timer)
  }
}

process.on('unhandledRejection', error => fail(`unwatched promise during "${running}"`, error))
process.on('uncaughtException', error => fail(`uncaught during "${running}"`, error))

/* refused awaits a refusal and answers what the client made of it. */
export async function refused (promise, what = 'it') {
  let result
  try {
    result = await promise
  } catch (error) {
    return error
  }
  throw new Error(`${what} was accepted: ${tell(result)}`)
}

/* Everything that came, in order, with a way to wait for what has not come yet. */
export class Inbox {
  constructor () {
    this.all = []
    this.waiting = []
  }

  put (message) {
    this.all.push(message)
    this.waiting = this.waiting.filter(check => !check())
  }

  /* A place to look from: what comes after now. */
  here () {
    return this.all.length
  }

  next (match, { from = 0, ms = 5000, what = 'a message' } = {}) {
    return new Promise((resolve, reject) => {
      let at = from
      const check = () => {
        for (; at < this.all.length; at++) {
          if (match(this.all[at])) {
            clearTimeout(timer)
            resolve(this.all[at])
            return true
          }
        }
        return false
      }
      const timer = setTimeout(() => {
        this.waiting = this.waiting.filter(other => other !== check)
        reject(new Error(`${what} did not come within ${ms} ms (${this.all.length} others did)`))
      }, ms)
      if (!check()) {
        this.waiting.push(check)
      }
    })
  }
}

/* Decimals as integers of 1e-12, exact: what a test adds up must not be rounded by the test. */
export function units (text) {
  const match = /^(-?)(\d+)(?:\.(\d{0,12}))?0*$/.exec(String(text))
  assert(match, `not a decimal: ${text}`)
  const value = BigInt(match[2] + (match[3] || '').padEnd(12, '0'))
  return match[1] ? -value : value
}

/* A price that rests `share` away from `from`, rounded to the tick. */
export function priceNear (from, share, tick) {
  const decimals = (String(tick).split('.')[1] || '').replace(/0+$/, '').length
  return (Math.round(Number(from) * (1 + share) / Number(tick)) * Number(tick)).toFixed(decimals)
}

function control (method, where, body) {
  return new Promise((resolve, reject) => {
    const request = http.request(
      { host: '127.0.0.1', port: Number(env.POISE_CONTROL_PORT), method, path: where },
      reply => {
        let text = ''
        reply.setEncoding('utf8').on('data', part => { text += part }).on('end', () => {
          if (reply.statusCode === 200) {
            resolve(JSON.parse(text))
          } else {
            reject(new Error(`the simulator's control port answers ${reply.statusCode}: ${text}`))
          }
        })
      })
    request.on('error', reject)
    request.end(body)
  })
}

/* Someone else trades: the market prints `qty` at `price`, `side` being the aggressor's. */
export const strangerTrades = (kind, price, qty, side) =>
  control('POST', '/set', `kind=${kind}&trade=${price}&qty=${qty}&side=${side}`)

/* What the simulator itself believes of this account in one product, or in one of Deribit's instruments. */
export async function simulatorBooks (kind, symbol) {
  const report = await control('GET', '/report')
  const part = symbol ? report.deribit : report
  const account = part.accounts.find(each => each.name === env.POISE_ACCOUNT)
  assert(account, `the simulator knows no account ${env.POISE_ACCOUNT}`)
  const ours = each => each.kind === kind && (symbol === undefined || each.symbol === symbol)
  return {
    holding: account.holdings.find(ours),
    fills: account.fills.filter(ours),
    cash: account.balances.filter(each => each.wallet === kind),
    money: symbol && part.venue.money.find(each => each.name === env.POISE_ACCOUNT).currencies
  }
}

export function finish (name, hosts) {
  say(`     hosts asked for: ${[...hosts].sort().join(' ')}`)
  say(`${name}: ${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}
