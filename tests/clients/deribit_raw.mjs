// A socket and the venue's page, nothing else, against the simulator as Deribit: `node deribit_raw.mjs inverse`.
//
// What libraries hide is asked for by hand here: the log in signature, heartbeats and what happens when a test_request
// is not answered, cancel on disconnect, the book's chain of change ids, channels that are dropped, sliding post-only
// orders, an edit that takes the order with it, the rate limit that ends the session.
import crypto from 'node:crypto'
import { reached } from './lib/redirect.mjs'
import { Inbox, assert, finish, key, load, pause, secret, simulatorBooks, step, strangerTrades, units } from './lib/steps.mjs'

const WebSocket = load('ws')
const instrument = 'BTC-PERPETUAL'
const TICK = 0.5

/* One connection: call() answers the whole reply, notes are notifications. */
class Connection {
  constructor () {
    this.notes = new Inbox()
    this.waiting = new Map()
    this.serial = 0
    this.beats = true
    this.raw = []
    this.ended = new Promise(resolve => { this.end = resolve })
  }

  async open () {
    this.socket = new WebSocket('wss://www.deribit.com/ws/api/v2')
    this.socket.on('message', text => this.hear(String(text)))
    this.socket.on('close', code => {
      this.end(code)
      for (const { reject } of this.waiting.values()) reject(new Error(`closed with ${code}`))
    })
    this.socket.on('error', () => {})
    await new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject))
    return this
  }

  hear (text) {
    const message = JSON.parse(text)
    if (message.id !== undefined) {
      this.waiting.get(message.id)?.resolve(message)
      this.waiting.delete(message.id)
      return
    }
    if (message.method === 'heartbeat') {
      if (message.params.type === 'test_request' && this.beats) this.call('public/test', {}).catch(() => {})
      this.notes.put({ beat: message.params.type })
      return
    }
    assert.equal(message.method, 'subscription')
    this.notes.put(message.params)
  }

  call (method, params = {}) {
    const id = ++this.serial
    this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }))
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  async good (method, params) {
    const reply = await this.call(method, params)
    assert(reply.error === undefined, `${method}: ${JSON.stringify(reply.error)}`)
    assert.equal(reply.jsonrpc, '2.0')
    assert.equal(reply.testnet, false)
    assert.equal(reply.usDiff, reply.usOut - reply.usIn)
    return reply.result
  }

  async bad (code, method, params) {
    const reply = await this.call(method, params)
    assert.equal(reply.error?.code, code, `${method}: ${JSON.stringify(reply).slice(0, 300)}`)
    return reply.error
  }

  logIn (changes = {}) {
    const timestamp = changes.timestamp ?? Date.now()
    const nonce = crypto.randomBytes(6).toString('hex')
    const signature = crypto.createHmac('sha256', changes.secret ?? secret).update(`${timestamp}\n${nonce}\n`).digest('hex')
    return this.call('public/auth', { grant_type: 'client_signature', client_id: changes.key ?? key, timestamp, nonce, data: '', signature, scope: 'connection trade:read_write account:read' })
  }
}

const connect = async (changes = {}) => {
  const connection = await new Connection().open()
  if (changes !== null) assert.equal((await connection.logIn(changes)).result.token_type, 'bearer')
  return connection
}
const market = await connect(null)
const trade = await new Connection().open()
let touch, serial = 0
const lookAtTouch = async () => {
  const book = await market.good('public/get_order_book', { instrument_name: instrument, depth: 1 })
  touch = { bid: book.best_bid_price, ask: book.best_ask_price }
  return touch
}
const onTick = price => Math.round(price / TICK) * TICK
const order = (side, price, changes = {}) => [`private/${side}`, {
  instrument_name: instrument, amount: 100, type: 'limit', price, label: `raw-${++serial}`, time_in_force: 'good_til_cancelled',
  post_only: true, reject_post_only: true, reduce_only: false, valid_until: Date.now() + 2000, ...changes
}]
const orderNote = (connection, id, match = () => true, from = 0) => connection.notes.next(
  note => note.channel === 'user.orders.any.any.raw' && note.data.order_id === id && match(note.data), { from, what: `a report of ${id}` })

/* Its test_requests are not answered: it takes half a minute to be cut off, so it begins now. */
const silent = await connect()
silent.beats = false
await silent.good('public/set_heartbeat', { interval: 10 })

// --- before the log in --------------------------------------------------------------------------------------

await step('the envelope: time, status, instruments, an unknown method, no such instrument', async () => {
  assert(Math.abs(await market.good('public/get_time') - Date.now()) < 1000)
  assert.equal(String((await market.good('public/status')).locked), 'false')
  const all = await market.good('public/get_instruments', { currency: 'any', expired: false })
  const it = all.find(each => each.instrument_name === instrument)
  assert.deepEqual([it.kind, it.instrument_type, it.settlement_period, it.tick_size, it.contract_size, it.min_trade_amount], ['future', 'reversed', 'perpetual', TICK, 10, 10])
  assert(all.some(each => each.kind === 'option') && all.some(each => each.instrument_type === 'linear'))
  await market.bad(-32601, 'public/no_such_method', {})
  assert([10020, -32602, 13020].includes((await market.call('public/ticker', { instrument_name: 'NO-SUCH' })).error.code))
  return { instruments: all.length }
})
await step('raw channels need a log in, private calls too; unknown channels are dropped', async () => {
  await market.bad(13778, 'public/subscribe', { channels: [`book.${instrument}.raw`] })
  assert([10000, 13009].includes((await market.call(...order('buy', 10000))).error.code))
  const names = [`book.${instrument}.100ms`, 'book.NO-SUCH.100ms', `ticker.${instrument}.100ms`, 'nonsense']
  const now = await market.good('public/subscribe', { channels: names })
  assert.deepEqual([...now].sort(), [names[0], names[2]].sort())
})
await step('a wrong signature, a stale clock and an unknown key are refused, and the socket lives on', async () => {
  const other = await connect(null)
  assert.equal((await other.logIn({ secret: 'wrong' })).error.code, 13009)
  assert.equal((await other.logIn({ timestamp: Date.now() - 70000 })).error.code, 13009)
  assert.equal((await other.logIn({ key: 'nobody' })).error.code, 13004)
  assert.equal((await other.logIn()).error, undefined)
  other.socket.close()
})
await step('log in by signature: scope, expiry, heartbeat, cancel on disconnect', async () => {
  const { result } = await trade.logIn()
  assert(result.scope.includes('trade:read_write') && !/wallet:[a-z_]*write/.test(result.scope))
  assert(result.expires_in > 0 && result.access_token && result.refresh_token)
  assert.equal(await trade.good('public/set_heartbeat', { interval: 10 }), 'ok')
  assert.equal(await trade.good('private/enable_cancel_on_disconnect', { scope: 'connection' }), 'ok')
  assert.deepEqual(await trade.good('private/get_cancel_on_disconnect', { scope: 'connection' }), { scope: 'connection', enabled: true })
  const channels = ['user.orders.any.any.raw', 'user.trades.any.any.raw', 'user.changes.any.any.raw', 'user.portfolio.any']
  assert.deepEqual((await trade.good('private/subscribe', { channels })).sort(), [...channels].sort())
  return { scope: result.scope }
})

// --- the book -----------------------------------------------------------------------------------------------

await step('the raw book: every change links, and it equals get_order_book at the same change id', async () => {
  const channel = `book.${instrument}.raw`
  await trade.good('public/subscribe', { channels: [channel] })
  const first = await trade.notes.next(note => note.channel === channel, { what: 'the snapshot' })
  assert.equal(first.data.type, 'snapshot')
  assert.equal(first.data.prev_change_id ?? null, null)
  const sides = { bids: new Map(), asks: new Map() }
  let last, changes = 0, at = 0, met
  const seen = new Map()
  const apply = ({ data }) => {
    if (data.type === 'change') {
      assert.equal(data.prev_change_id, last, 'a gap')
      changes++
    }
    for (const side of ['bids', 'asks']) {
      for (const [action, price, amount] of data[side]) {
        assert.equal(action === 'new', !sides[side].has(price), `${action} of ${price}`)
        if (action === 'delete') sides[side].delete(price)
        else sides[side].set(price, amount)
      }
    }
    last = data.change_id
    const best = (side, sign) => [...sides[side]].sort((x, y) => sign * (x[0] - y[0])).slice(0, 10)
    seen.set(last, { bids: best('bids', -1), asks: best('asks', 1) })
  }
  const catchUp = () => {
    for (; at < trade.notes.all.length; at++) if (trade.notes.all[at].channel === channel) apply(trade.notes.all[at])
  }
  for (let i = 0; i < 100 && (met === undefined || changes < 30); i++) {
    const asked = await trade.good('public/get_order_book', { instrument_name: instrument, depth: 10 })
    await pause(60)
    catchUp()
    const ours = seen.get(asked.change_id)
    if (ours) {
      assert.deepEqual(ours, { bids: asked.bids, asks: asked.asks })
      met = (met ?? 0) + 1
    }
  }
  assert(met > 0, 'no asked book met the stream')
  assert.equal(await trade.good('public/unsubscribe', { channels: [channel] }).then(list => list.length), 1)
  return { changes, met }
}, 15000)

// --- orders -------------------------------------------------------------------------------------------------

await step('post-only rests; edit keeps the id; cancel says user_request; cancel again is refused', async () => {
  await lookAtTouch()
  const placed = await trade.good(...order('buy', onTick(touch.bid * 0.995), { label: 'first' }))
  assert.deepEqual([placed.order.order_state, placed.trades, placed.order.post_only, placed.order.label], ['open', [], true, 'first'])
  const id = placed.order.order_id
  assert(!Array.isArray((await orderNote(trade, id)).data), 'raw orders come one by one')
  await trade.notes.next(note => note.channel.startsWith('user.changes') && note.data.orders.some(each => each.order_id === id), { what: 'user.changes' })
  assert.deepEqual((await trade.good('private/get_open_orders', {})).map(each => each.order_id), [id])
  const price = onTick(touch.bid * 0.992)
  const edited = await trade.good('private/edit', { order_id: id, amount: 60, price, post_only: true, reject_post_only: true })
  assert.deepEqual([edited.order.order_id, edited.order.price, edited.order.amount, edited.order.replaced], [id, price, 60, true])
  assert(edited.order.last_update_timestamp >= placed.order.last_update_timestamp)
  const gone = await trade.good('private/cancel', { order_id: id })
  assert.deepEqual([gone.order_id, gone.order_state, gone.cancel_reason], [id, 'cancelled', 'user_request'])
  await orderNote(trade, id, each => each.order_state === 'cancelled')
  assert.equal((await trade.good('private/get_order_state', { order_id: id })).order_state, 'cancelled')
  assert([11044, 10010].includes((await trade.call('private/cancel', { order_id: id })).error.code))
  await trade.bad(10004, 'private/cancel', { order_id: '1' })
})
await step('crossing post-only: 11054 and no order; without reject_post_only one tick inside', async () => {
  await lookAtTouch()
  const before = trade.notes.here()
  await trade.bad(11054, ...order('buy', onTick(touch.ask * 1.002)))
  await pause(50)
  assert(!trade.notes.all.slice(before).some(note => note.channel?.startsWith('user.')), 'a refused order has no event')
  const slid = await trade.good(...order('buy', onTick(touch.ask * 1.002), { reject_post_only: false }))
  assert.equal(slid.order.order_state, 'open')
  assert(slid.order.price < onTick(touch.ask * 1.002))
  await trade.call('private/cancel', { order_id: slid.order.order_id })
  const left = await trade.good('private/get_order_state', { order_id: slid.order.order_id })
  if (left.filled_amount > 0) await trade.good('private/close_position', { instrument_name: instrument, type: 'market' })
  return { asked: onTick(touch.ask * 1.002), rests: slid.order.price }
})
await step('an edit with reject_post_only that would cross takes the order with it', async () => {
  await lookAtTouch()
  const { order: { order_id: id } } = await trade.good(...order('buy', onTick(touch.bid * 0.995)))
  const error = await trade.call('private/edit', { order_id: id, amount: 100, price: onTick(touch.ask * 1.002), post_only: true, reject_post_only: true })
  assert.equal(error.error?.code, 11054, JSON.stringify(error))
  const report = await orderNote(trade, id, each => each.order_state === 'cancelled')
  assert.equal(report.data.cancel_reason, 'edit_post_only_reject')
})
await step('fills: in the reply and by stream, once each by trade id; IOC leaves nothing behind', async () => {
  await lookAtTouch()
  const from = trade.notes.here()
  const ioc = await trade.good(...order('buy', onTick(touch.ask * 1.002), { post_only: false, reject_post_only: false, time_in_force: 'immediate_or_cancel' }))
  assert.deepEqual([ioc.order.order_state, ioc.order.filled_amount], ['filled', 100])
  assert.equal(ioc.trades.reduce((sum, each) => sum + each.amount, 0), 100)
  for (const fill of ioc.trades) {
    const note = await trade.notes.next(each => each.channel === 'user.trades.any.any.raw' && each.data.some(row => row.trade_id === fill.trade_id), { from, what: `the trade ${fill.trade_id}` })
    const row = note.data.find(each => each.trade_id === fill.trade_id)
    assert.deepEqual([row.liquidity, row.fee_currency, row.fee, row.price], ['T', 'BTC', fill.fee, fill.price])
  }
  const none = await trade.good(...order('buy', onTick(touch.bid * 0.995), { post_only: false, reject_post_only: false, time_in_force: 'immediate_or_cancel' }))
  assert.deepEqual([none.order.order_state, none.order.filled_amount, none.trades], ['cancelled', 0, []])
  const position = await trade.good('private/get_position', { instrument_name: instrument })
  assert.deepEqual([position.direction, position.size], ['buy', 100])
  const rows = (await trade.good('private/get_user_trades_by_instrument', { instrument_name: instrument, count: 100, sorting: 'asc' })).trades
  for (const fill of ioc.trades) assert(rows.some(each => each.trade_id === fill.trade_id))
})
await step('a resting order is filled in parts as maker: open with a filled amount, then filled', async () => {
  await lookAtTouch()
  const price = onTick(touch.ask * 1.001)
  const { order: { order_id: id } } = await trade.good(...order('sell', price, { reduce_only: true }))
  await strangerTrades('deribit.inverse', onTick(price * 1.0002), 40, 'buy')
  const part = await orderNote(trade, id, each => each.filled_amount > 0)
  assert.deepEqual([part.data.order_state, part.data.filled_amount, part.data.average_price], ['open', 40, price])
  await strangerTrades('deribit.inverse', onTick(price * 1.0002), 100, 'buy')
  await orderNote(trade, id, each => each.order_state === 'filled')
  const note = await trade.notes.next(each => each.channel.startsWith('user.changes') && each.data.positions.some(row => row.size === 0) && each.data.orders.some(row => row.order_id === id), { what: 'the flat position' })
  assert(note.data.trades.every(each => each.liquidity === 'M'))
})
await step('what is malformed or late is refused: tick, amount, valid_until, reduce-only when flat', async () => {
  await lookAtTouch()
  await trade.bad(10043, ...order('buy', onTick(touch.bid * 0.995) + 0.1))
  assert([10021, 10002, 10027].includes((await trade.call(...order('buy', onTick(touch.bid * 0.995), { amount: 5 }))).error.code))
  await trade.bad(13888, ...order('buy', onTick(touch.bid * 0.995), { valid_until: Date.now() - 1000 }))
  await trade.bad(-32602, 'private/buy', { amount: 100, type: 'limit', price: 1 })
  assert((await trade.call(...order('sell', onTick(touch.bid), { post_only: false, reject_post_only: false, time_in_force: 'immediate_or_cancel', reduce_only: true }))).error)
})
await step('cancel_by_label and cancel_all count what they took', async () => {
  await lookAtTouch()
  for (const label of ['same', 'same', 'other']) await trade.good(...order('buy', onTick(touch.bid * 0.995), { label }))
  assert.equal(await trade.good('private/cancel_by_label', { label: 'same' }), 2)
  assert.equal(await trade.good('private/cancel_all', {}), 1)
  assert.equal((await trade.good('private/get_open_orders', {})).length, 0)
})

// --- the link -----------------------------------------------------------------------------------------------

await step('a socket that dies takes its orders with it, and only its own', async () => {
  const dying = await connect()
  assert.equal(await dying.good('private/enable_cancel_on_disconnect', { scope: 'connection' }), 'ok')
  await lookAtTouch()
  const { order: theirs } = await dying.good(...order('buy', onTick(touch.bid * 0.994)))
  const { order: ours } = await trade.good(...order('buy', onTick(touch.bid * 0.995)))
  dying.socket.terminate()
  const report = await orderNote(trade, theirs.order_id, each => each.order_state === 'cancelled')
  assert.equal(report.data.cancel_reason, 'cancel_on_disconnect')
  assert.deepEqual((await trade.good('private/get_open_orders', {})).map(each => each.order_id), [ours.order_id])
  await trade.good('private/cancel', { order_id: ours.order_id })
})
await step('too many requests: 10028, the session ends, its orders are cancelled', async () => {
  const hasty = await connect()
  await hasty.good('private/enable_cancel_on_disconnect', { scope: 'connection' })
  await lookAtTouch()
  const { order: { order_id: id } } = await hasty.good(...order('buy', onTick(touch.bid * 0.994)))
  const replies = []
  for (let i = 0; i < 400; i++) replies.push(hasty.call('public/get_time').catch(() => undefined))
  const refused = (await Promise.all(replies)).filter(each => each?.error)
  assert(refused.length > 0 && refused.every(each => each.error.code === 10028), JSON.stringify(refused[0]))
  await hasty.ended
  const report = await orderNote(trade, id, each => each.order_state === 'cancelled')
  assert.equal(report.data.cancel_reason, 'cancel_on_disconnect')
  return { closed: await hasty.ended }
})
await step('heartbeats: a test_request that is answered keeps the link, one that is not ends it', async () => {
  const code = await Promise.race([silent.ended, pause(45000).then(() => 'still open')])
  assert.notEqual(code, 'still open')
  assert(silent.notes.all.some(note => note.beat === 'test_request'), 'nobody asked')
  assert(trade.notes.all.some(note => note.beat === 'test_request'), 'the living one was not asked')
  assert(await trade.good('public/get_time') > 0)
  return { code, beats: silent.notes.all.filter(note => note.beat).length }
}, 50000)

// --- the books ----------------------------------------------------------------------------------------------

await step('fills, fees, position and money are the simulator\'s own', async () => {
  const books = await simulatorBooks('inverse', instrument)
  const rows = (await trade.good('private/get_user_trades_by_instrument', { instrument_name: instrument, count: 1000, sorting: 'asc' })).trades
  assert.deepEqual(rows.map(each => each.trade_id).sort(), books.fills.map(each => String(each.trade_id)).sort())
  const fees = list => list.reduce((sum, each) => sum + units(Number(each.fee).toFixed(12)), 0n)
  assert.equal(fees(rows), fees(books.fills))
  const byStream = trade.notes.all.filter(note => note.channel === 'user.trades.any.any.raw').flatMap(note => note.data.map(each => each.trade_id))
  assert.deepEqual(byStream.sort(), rows.map(each => each.trade_id).sort(), 'a fill came twice or not at all by stream')
  const summary = await trade.good('private/get_account_summary', { currency: 'BTC', extended: true })
  const money = books.money.find(each => each.currency === 'BTC')
  assert.equal(summary.equity.toFixed(8), Number(money.equity).toFixed(8))
  assert.equal(units(books.holding.position), 0n)
  assert.equal(books.holding.open_orders.length, 0)
  return { fills: rows.length, equity: money.equity }
})

for (const each of [market, trade]) each.socket.close()
finish('deribit_raw inverse', reached)
