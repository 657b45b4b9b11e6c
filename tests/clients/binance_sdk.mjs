// The package `binance`, unmodified, trades at the simulator: `node binance_sdk.mjs usdm|coinm|spot`.
//
// The journey of an ordinary user of that package: read the market, follow the book, follow the account, place,
// amend, cancel, be refused, be filled as taker and as maker, look everything up again, and compare the result with
// the simulator's own books.  The package reads JSON numbers as doubles, so orders are named by client id throughout
// (the venue's futures ids exceed 2^53).
//
// The package asks for spot's user data by listen key, which the venue retired: with POISE_LISTEN_KEY=1 this script
// does so too, else it logs on to the WebSocket API with the Ed25519 key and subscribes there.
import { reached } from './lib/redirect.mjs'
import {
  Inbox, assert, edKey, edSecret, finish, key, load, pause, priceNear, refused, secret, simulatorBooks, step,
  strangerTrades, units
} from './lib/steps.mjs'

const { CoinMClient, MainClient, USDMClient, WebsocketAPIClient, WebsocketClient } = load('binance')

const product = process.argv[2]
const setups = {
  usdm: { kind: 'linear', symbol: 'BTCUSDT', lot: '0.010', part: '0.004', Rest: USDMClient, cash: 'USDT', api: 'usdmWSAPI' },
  coinm: { kind: 'inverse', symbol: 'BTCUSD_PERP', lot: '10', part: '4', Rest: CoinMClient, cash: 'BTC', api: 'coinmWSAPI' },
  spot: { kind: 'spot', symbol: 'BTCUSDT', lot: '0.01000', part: '0.00400', Rest: MainClient, cash: 'USDT', api: 'mainWSAPI' }
}
const setup = setups[product]
assert(setup, 'usage: binance_sdk.mjs usdm|coinm|spot')
const { kind, symbol, lot, part, Rest } = setup
const futures = product !== 'spot'
const byListenKey = futures || process.env.POISE_LISTEN_KEY === '1'

const quiet = Object.fromEntries(['trace', 'info', 'error', 'debug', 'silly', 'notice', 'warning'].map(n => [n, () => {}]))
const options = { api_key: key, api_secret: secret, beautifyResponses: false, disableTimeSync: true }
const rest = new Rest(options)

// --- events -------------------------------------------------------------------------------------------------

const market = new Inbox()
const account = new Inbox()
const stream = new WebsocketClient({ ...options, beautify: false, restOptions: { disableTimeSync: true } }, quiet)
const privateEvents = new Set(['ORDER_TRADE_UPDATE', 'ACCOUNT_UPDATE', 'TRADE_LITE', 'executionReport',
  'outboundAccountPosition', 'balanceUpdate', 'listenKeyExpired'])
const opened = new Inbox()

function sort (message) {
  const event = message.event?.e ? message.event : message.data ?? message
  ;(privateEvents.has(event.e) ? account : market).put(event)
}
stream.on('message', sort)
stream.on('open', event => opened.put(event))
stream.on('exception', () => {})

/* One shape for both kinds of order report; id is the order's client id, also when the report renames it (C). */
function orderReport (event) {
  if (event.e === 'ORDER_TRADE_UPDATE') {
    const o = event.o
    return { id: o.c, did: o.x, state: o.X, last: o.l, price: o.p, qty: o.q, trade: o.t, maker: o.m, at: o.L, fee: o.n, feeAsset: o.N }
  }
  if (event.e === 'executionReport') {
    return {
      id: event.C || event.c, did: event.x, state: event.X, last: event.l, price: event.p, qty: event.q,
      trade: event.t, maker: event.m, at: event.L, fee: event.n, feeAsset: event.N
    }
  }
}
const report = async (id, did, from = 0) => orderReport(await account.next(event => {
  const it = orderReport(event)
  return it && it.id === id && it.did === did
}, { from, what: `a report ${did} of ${id}` }))

let serial = 0
const newId = () => `${futures ? 'x-15PC4ZJy' : 'x-U5D79M5B'}t${process.pid % 100000}n${++serial}`

/* The package wraps what the venue says; this is the venue's code. */
const codeOf = error => error?.code ?? error?.body?.code ?? error?.error?.code
async function refusedWith (code, promise, what) {
  const error = await refused(promise, what)
  assert.equal(codeOf(error), code, `refused with ${codeOf(error)} (${error?.message ?? JSON.stringify(error)})`)
  return { code }
}

// --- the market ---------------------------------------------------------------------------------------------

let tick, touch
const lookAtTouch = async () => {
  const book = await rest.getOrderBook({ symbol, limit: 5 })
  touch = { bid: book.bids[0][0], ask: book.asks[0][0] }
  return touch
}
const belowBid = (share = 0.01) => priceNear(touch.bid, -share, tick)
const aboveAsk = (share = 0.01) => priceNear(touch.ask, share, tick)

await step('the server tells the time', async () => {
  const answer = await rest.getServerTime()
  assert(Math.abs(Number(answer.serverTime ?? answer) - Date.now()) < 1000)
})
await step('exchange information names tick, lot and state', async () => {
  const it = (await rest.getExchangeInfo()).symbols.find(each => each.symbol === symbol)
  assert(it, `${symbol} is not listed`)
  assert.equal(it[product === 'coinm' ? 'contractStatus' : 'status'], 'TRADING')
  const filter = name => it.filters.find(each => each.filterType === name)
  tick = filter('PRICE_FILTER').tickSize
  assert(Number(tick) > 0 && Number(filter('LOT_SIZE').stepSize) > 0)
  if (product === 'coinm') assert.equal(it.contractSize, 100)
  if (product === 'usdm') assert(Number(filter('MIN_NOTIONAL').notional) > 0)
  return { tick, lot: filter('LOT_SIZE').stepSize }
})
await step('the book by REST is sorted and not crossed', async () => {
  const book = await rest.getOrderBook({ symbol, limit: 100 })
  for (let i = 1; i < book.bids.length; i++) assert(Number(book.bids[i][0]) < Number(book.bids[i - 1][0]))
  for (let i = 1; i < book.asks.length; i++) assert(Number(book.asks[i][0]) > Number(book.asks[i - 1][0]))
  touch = { bid: book.bids[0][0], ask: book.asks[0][0] }
  assert(Number(touch.bid) < Number(touch.ask))
  return touch
})
await step('the book by stream: no gap, and its best prices are the book ticker\'s', async () => {
  const lower = symbol.toLowerCase()
  stream.subscribe([`${lower}@depth@100ms`, `${lower}@bookTicker`], futures ? product : 'main')
  const isDepth = event => event.e === 'depthUpdate'
  const isTicker = event => event.u !== undefined && event.B !== undefined && event.A !== undefined
  await market.next(isDepth, { what: 'a depth update' })
  const snapshot = await rest.getOrderBook({ symbol, limit: 1000 })
  const fresh = event => futures ? event.u >= snapshot.lastUpdateId : event.u > snapshot.lastUpdateId
  let from = 0, count = 0
  while (count < 15) {
    const event = await market.next(isDepth, { from, what: `depth update ${count + 1}` })
    from = market.all.indexOf(event, from) + 1
    if (fresh(event)) count++
  }
  // A ticker beyond the last update: every ticker up to that update has come.
  const updates = market.all.filter(isDepth).filter(fresh)
  const end = updates.at(-1).u
  await market.next(event => isTicker(event) && event.u > end, { what: 'a later book ticker' })
  const sides = { b: new Map(snapshot.bids), a: new Map(snapshot.asks) }
  const best = (side, better) => [...sides[side].keys()].reduce((x, y) => better(Number(x), Number(y)) ? x : y)
  let last, compared = 0, ahead = 0

  for (const event of updates) {
    if (last !== undefined) {
      assert.equal(futures ? event.pu : event.U - 1, last, 'a gap')
    } else if (futures) {
      assert(event.U <= snapshot.lastUpdateId || event.pu === snapshot.lastUpdateId, 'the first update does not reach the snapshot')
    } else {
      assert(event.U <= snapshot.lastUpdateId + 1, 'the first update does not reach the snapshot')
    }
    for (const side of ['b', 'a']) {
      for (const [price, qty] of event[side]) {
        if (Number(qty) === 0) sides[side].delete(price)
        else sides[side].set(price, qty)
      }
    }
    // The last ticker that the update covers says what the book says.  The ticker may run ahead of the book, and the
    // simulator's book of a recording then shows the touch already: a ticker that came before the update will do.
    const covered = market.all.findLast(each => isTicker(each) && each.u <= event.u && (last === undefined || each.u > last))
    // the first updates may show a touch from before the subscription
    if (covered && updates.indexOf(event) >= 2) {
      const bid = best('b', (x, y) => x > y)
      const ask = best('a', (x, y) => x < y)
      const ours = [bid, sides.b.get(bid), ask, sides.a.get(ask)].map(Number)
      const says = each => ours.every((value, k) => value === Number([each.b, each.B, each.a, each.A][k]))
      if (!says(covered)) {
        const before = market.all.slice(0, market.all.indexOf(event))
        assert(before.some(each => isTicker(each) && each.u > event.u && says(each)), `${ours} is not ${JSON.stringify(covered)}`)
        ahead++
      }
      compared++
    }
    last = event.u
  }
  assert(compared >= 5, `only ${compared} book tickers to compare`)
  assert(compared > ahead, `all ${compared} books are ahead of their ids`)
  return { updates: updates.length, compared, ahead }
})
await step('public trades arrive', async () => {
  const lower = symbol.toLowerCase()
  stream.subscribe([`${lower}@aggTrade`], futures ? product : 'main')
  // the package takes USD-M trades for a stream of /market, where the venue acknowledges them and stays silent
  stream.subscribe([`${lower}@trade`], product === 'usdm' ? 'usdmPublic' : futures ? product : 'main')
  await pause(200)
  await strangerTrades(kind, touch.ask, part, 'buy')
  const trade = await market.next(e => e.e === 'trade' && e.s === symbol, { what: 'a trade' })
  const sum = await market.next(e => e.e === 'aggTrade' && e.s === symbol, { what: 'an aggregate trade' })
  assert(Number(trade.p) > 0 && Number(trade.q) > 0 && typeof trade.m === 'boolean' && Number(sum.q) > 0)
})
await step('ticker and mini ticker arrive', async () => {
  const lower = symbol.toLowerCase()
  stream.subscribe([`${lower}@ticker`, `${lower}@miniTicker`], futures ? product : 'main')
  const day = await market.next(e => e.e === '24hrTicker' && e.s === symbol, { what: 'a ticker' })
  const mini = await market.next(e => e.e === '24hrMiniTicker' && e.s === symbol, { what: 'a mini ticker' })
  for (const it of [day, mini]) assert(Number(it.l) <= Number(it.c) && Number(it.c) <= Number(it.h) && Number(it.v) > 0)
  assert.equal(units(day.p), units(day.c) - units(day.o))
})
if (product === 'usdm') {
  await step('a stream asked for on the wrong route is silent', async () => {
    const wrong = new WebsocketClient({ ...options, beautify: false }, quiet)
    const heard = new Inbox()
    wrong.on('message', message => heard.put(message))
    wrong.on('response', message => heard.put(message))
    wrong.on('exception', () => {})
    wrong.subscribe(['btcusdt@depth@100ms', 'btcusdt@bookTicker'], 'usdmMarket')
    await heard.next(message => message.result === null, { what: 'the acknowledgement' })
    await pause(700)
    assert.equal(heard.all.filter(message => message.e).length, 0)
    wrong.closeAll(true)
  })
}
if (futures) {
  await step('mark price and funding arrive', async () => {
    stream.subscribe([`${symbol.toLowerCase()}@markPrice@1s`], product)
    const mark = await market.next(e => e.e === 'markPriceUpdate' && e.s === symbol, { what: 'a mark price' })
    assert(Number(mark.p) > 0 && mark.T > Date.now(), `next settlement ${mark.T}`)
    const answer = await rest.getMarkPrice({ symbol })
    const asked = Array.isArray(answer) ? answer[0] : answer
    assert.equal(asked.nextFundingTime, mark.T)
    return { mark: mark.p, rate: mark.r }
  })
}

// --- the account --------------------------------------------------------------------------------------------

const edOptions = { ...options, api_key: edKey, api_secret: edSecret }
const session = new WebsocketAPIClient({ ...edOptions, beautify: false, attachEventListeners: false, restOptions: { disableTimeSync: true } }, quiet)
const signing = new WebsocketAPIClient({ ...options, beautify: false, attachEventListeners: false, authPrivateRequestsIndividually: true, restOptions: { disableTimeSync: true } }, quiet)
for (const client of [session, signing]) {
  client.getWSClient().on('message', sort)
  client.getWSClient().on('exception', () => {})
}

const stamped = fields => ({ ...fields, timestamp: Date.now() })

await step(byListenKey ? 'the user stream opens by listen key' : 'the user stream opens by log on with an Ed25519 key', async () => {
  if (!byListenKey) {
    await session.subscribeUserDataStream('mainWSAPI')
    return
  }
  const from = opened.here()
  if (product === 'usdm') await stream.subscribeUsdFuturesUserDataStream()
  else if (product === 'coinm') await stream.subscribeCoinFuturesUserDataStream()
  else await stream.subscribeSpotUserDataStream()
  await opened.next(event => /userData/i.test(event.wsKey), { from, what: 'the open user stream' })
})

const balances = async () => {
  const rows = product === 'usdm'
    ? await rest.getBalanceV3()
    : product === 'coinm' ? await rest.getBalance() : (await rest.getAccountInformation()).balances
  return new Map(rows.map(row => [row.asset, futures ? row.balance : row.free]))
}
const trades = async () => futures ? rest.getAccountTrades({ symbol }) : rest.getAccountTradeList({ symbol })
const position = async () => {
  const rows = product === 'usdm' ? await rest.getPositionsV3({ symbol }) : await rest.getPositions()
  const row = rows.find(each => each.symbol === symbol)
  return row ? row.positionAmt : '0'
}

await step('balances', async () => {
  const it = await balances()
  assert(Number(it.get(setup.cash)) > 0, `no ${setup.cash}`)
  return Object.fromEntries(it)
})
if (futures) {
  await step('account mode: one way, commission rates, leverage brackets', async () => {
    assert.equal((await rest.getCurrentPositionMode()).dualSidePosition, false)
    const rate = await rest.getAccountCommissionRate({ symbol })
    assert(Number(rate.takerCommissionRate) > Number(rate.makerCommissionRate))
    const information = product === 'usdm' ? await rest.getAccountInformationV3() : await rest.getAccountInformation()
    assert(information.assets.some(each => each.asset === setup.cash))
  })
}

const limitOrder = (id, side, price, extra = {}) => futures
  ? { symbol, side, type: 'LIMIT', timeInForce: 'GTX', quantity: lot, price, newClientOrderId: id, selfTradePreventionMode: 'NONE', ...extra }
  : { symbol, side, type: 'LIMIT_MAKER', quantity: lot, price, newClientOrderId: id, newOrderRespType: 'RESULT', ...extra }
const cancel = id => rest.cancelOrder({ symbol, origClientOrderId: id })
const openOrders = () => futures ? rest.getAllOpenOrders({ symbol }) : rest.getOpenOrders({ symbol })
const orderOf = id => rest.getOrder({ symbol, origClientOrderId: id })

const first = newId()
await step('post-only rests, is reported and listed', async () => {
  const price = belowBid()
  const reply = await rest.submitNewOrder(limitOrder(first, 'BUY', price))
  assert.equal(reply.clientOrderId, first)
  assert.equal(reply.status, 'NEW')
  assert.equal(Number((await report(first, 'NEW')).price), Number(price))
  assert.equal((await openOrders()).length, 1)
  assert.equal((await orderOf(first)).status, 'NEW')
})
let working = first
if (futures) {
  await step('amend keeps the order and changes price and size', async () => {
    const price = belowBid(0.02)
    const reply = await rest.modifyOrder({ symbol, side: 'BUY', origClientOrderId: first, quantity: part, price })
    assert.equal(reply.clientOrderId, first)
    assert.equal(Number(reply.price), Number(price))
    const event = await report(first, 'AMENDMENT')
    assert.deepEqual([Number(event.price), Number(event.qty)], [Number(price), Number(part)])
    await refusedWith(-5027, rest.modifyOrder({ symbol, side: 'BUY', origClientOrderId: first, quantity: part, price }), 'an amendment that changes nothing')
  })
} else {
  await step('amend keeps the order and makes it smaller', async () => {
    // over the WebSocket API: the package's REST call goes to a path of USD-M on the spot host
    const reply = await signing.amendSpotOrderKeepPriority(stamped({ symbol, origClientOrderId: first, newQty: part, newClientOrderId: first }))
    assert.equal(Number(reply.result.amendedOrder.qty), Number(part))
    await report(first, 'REPLACED')
    assert.equal(Number((await orderOf(first)).origQty), Number(part))
  })
  await step('cancel and replace moves the price', async () => {
    const next = newId()
    const reply = await rest.replaceOrder({ ...limitOrder(next, 'BUY', belowBid(0.02)), cancelReplaceMode: 'STOP_ON_FAILURE', cancelOrigClientOrderId: first })
    assert.deepEqual([reply.cancelResult, reply.newOrderResult], ['SUCCESS', 'SUCCESS'])
    await report(first, 'CANCELED')
    await report(next, 'NEW')
    working = next
  })
}
await step('cancel is answered and reported', async () => {
  const reply = await cancel(working)
  assert.equal(reply.status, 'CANCELED')
  await report(working, 'CANCELED')
  assert.equal((await orderOf(working)).status, 'CANCELED')
  assert.equal((await openOrders()).length, 0)
})
await step('cancel again is refused', () => refusedWith(-2011, cancel(working), 'a second cancel'))
await step('post-only that would cross is refused', async () => {
  await lookAtTouch()
  const id = newId()
  await refusedWith(futures ? -5022 : -2010, rest.submitNewOrder(limitOrder(id, 'BUY', aboveAsk())), 'a crossing post-only')
  await refusedWith(-2013, orderOf(id), 'a query of the refused order')
})
await step('a client id in use, a price off the tick and an unknown symbol are refused', async () => {
  const id = newId()
  await rest.submitNewOrder(limitOrder(id, 'BUY', belowBid()))
  await refusedWith(futures ? -4116 : -2010, rest.submitNewOrder(limitOrder(id, 'BUY', belowBid(0.02))), 'the same client id')
  await cancel(id)
  // USD-M quotes two decimals and ticks in tenths; on the others half a tick is a digit too many
  const offTick = (Number(belowBid()) + Number(tick) / 2).toFixed(3).replace(/0$/, '')
  await refusedWith(product === 'usdm' ? -4014 : -1111, rest.submitNewOrder(limitOrder(newId(), 'BUY', offTick)), 'half a tick')
  await refusedWith(-1121, rest.submitNewOrder({ ...limitOrder(newId(), 'BUY', belowBid()), symbol: 'NOSUCH' }), 'an unknown symbol')
})

const positionBefore = futures ? await position() : undefined
await step('market order: the fill by event, by REST and in the position agree', async () => {
  const id = newId()
  const before = await balances()
  await rest.submitNewOrder({ symbol, side: 'BUY', type: 'MARKET', quantity: lot, newClientOrderId: id, newOrderRespType: futures ? 'RESULT' : 'FULL' })
  let filled = 0n, from = 0
  const seen = []
  while (filled < units(lot)) {
    const event = await account.next(e => orderReport(e)?.id === id && orderReport(e).did === 'TRADE', { from, what: 'the fill' })
    from = account.all.indexOf(event, from) + 1
    const fill = orderReport(event)
    filled += units(fill.last)
    seen.push(fill)
  }
  assert.equal(filled, units(lot))
  const own = await trades()
  for (const fill of seen) {
    const row = own.find(each => each.id === fill.trade)
    assert(row, `trade ${fill.trade} is not among the account's trades`)
    assert.equal(Number(row.price), Number(fill.at))
    assert.equal(Number(row.qty), Number(fill.last))
    assert.equal(Number(row.commission), Number(fill.fee))
    assert.equal(row.commissionAsset, fill.feeAsset)
    assert.equal(futures ? row.maker : row.isMaker, false)
    assert.equal(fill.maker, false)
  }
  if (futures) {
    assert.equal(units(await position()) - units(positionBefore), units(lot))
    await account.next(e => e.e === 'TRADE_LITE' && e.c === id && e.t === seen[0].trade, { what: 'TRADE_LITE' })
    const update = await account.next(e => e.e === 'ACCOUNT_UPDATE' && e.a.m === 'ORDER', { what: 'ACCOUNT_UPDATE' })
    assert(update.a.P.some(p => p.s === symbol) && update.a.B.some(b => b.a === setup.cash))
  } else {
    const fees = seen.reduce((sum, fill) => sum + units(fill.fee), 0n)
    assert.equal(units((await balances()).get('BTC')) - units(before.get('BTC')), units(lot) - fees)
    await account.next(e => e.e === 'outboundAccountPosition' && e.B.some(b => b.a === 'BTC'), { what: 'outboundAccountPosition' })
  }
  return { fills: seen.length, at: seen[0].at, fee: seen[0].fee, feeAsset: seen[0].feeAsset }
})
await step('a resting order is filled in parts, as maker', async () => {
  const id = newId()
  await lookAtTouch()
  const price = aboveAsk(0.001)
  await rest.submitNewOrder(limitOrder(id, 'SELL', price))
  await report(id, 'NEW')
  let from = account.here()
  // through our price, so that whoever queued before us is served too
  await strangerTrades(kind, priceNear(price, 0.0001, tick), part, 'buy')
  const partial = await report(id, 'TRADE', from)
  assert.deepEqual([partial.state, partial.maker, Number(partial.last)], ['PARTIALLY_FILLED', true, Number(part)])
  assert.equal(Number(partial.at), Number(price))
  from = account.here()
  await strangerTrades(kind, priceNear(price, 0.0001, tick), lot, 'buy')
  const rest_ = await report(id, 'TRADE', from)
  assert.deepEqual([rest_.state, rest_.maker], ['FILLED', true])
  assert.equal(units(rest_.last), units(lot) - units(part))
  const own = (await trades()).filter(each => each.id === partial.trade || each.id === rest_.trade)
  assert.equal(own.length, 2)
  assert(own.every(each => futures ? each.maker : each.isMaker))
})
if (futures) {
  await step('reduce-only closes what is open and is refused when nothing is', async () => {
    const held = units(await position())
    if (held !== 0n) {
      await rest.submitNewOrder({ symbol, side: held > 0n ? 'SELL' : 'BUY', type: 'MARKET', quantity: String(Math.abs(Number(await position()))), reduceOnly: 'true', newOrderRespType: 'RESULT' })
    }
    assert.equal(units(await position()), 0n)
    await refusedWith(-2022, rest.submitNewOrder({ symbol, side: 'SELL', type: 'MARKET', quantity: lot, reduceOnly: 'true' }), 'reduce-only on a flat position')
  })
}
await step('cancel all cancels each and says so', async () => {
  await lookAtTouch()
  const ids = [newId(), newId()]
  await rest.submitNewOrder(limitOrder(ids[0], 'BUY', belowBid()))
  await rest.submitNewOrder(limitOrder(ids[1], 'SELL', aboveAsk()))
  const reply = futures ? await rest.cancelAllOpenOrders({ symbol }) : await rest.cancelAllSymbolOrders({ symbol })
  if (futures) assert.equal(Number(reply.code), 200)
  else assert.deepEqual(reply.map(each => each.origClientOrderId).sort(), [...ids].sort())
  for (const id of ids) await report(id, 'CANCELED')
  assert.equal((await openOrders()).length, 0)
})
if (futures) {
  await step('the dead man\'s switch cancels when nobody renews it', async () => {
    const id = newId()
    await rest.submitNewOrder(limitOrder(id, 'BUY', belowBid()))
    const reply = await rest.setCancelOrdersOnTimeout({ symbol, countdownTime: 400 })
    assert.deepEqual([reply.symbol, reply.countdownTime], [symbol, '400'])
    await report(id, 'CANCELED')
  })
}

// --- who may not --------------------------------------------------------------------------------------------

const balanceBy = async client => product === 'usdm' ? client.getBalanceV3() : product === 'coinm' ? client.getBalance() : client.getAccountInformation()
await step('a wrong secret is refused', async () => {
  await refusedWith(-1022, balanceBy(new Rest({ ...options, api_secret: 'not-the-secret' })), 'a wrong signature')
  await refusedWith(-1022, new Rest({ ...options, api_secret: 'not-the-secret' }).submitNewOrder(limitOrder(newId(), 'BUY', belowBid())), 'an order with a wrong signature')
  assert.equal((await openOrders()).length, 0)
})
await step('an unknown key is refused', () => refusedWith(-2015, balanceBy(new Rest({ ...options, api_key: 'k'.repeat(64) })), 'an unknown key'))
await step('a stale timestamp and one from the future are refused', async () => {
  for (const offset of [-8000, 3000]) {
    const late = new Rest(options)
    late.setTimeOffset(offset)
    await refusedWith(-1021, balanceBy(late), `a clock ${offset} ms off`)
  }
})
await step('an Ed25519 key signs REST as well', async () => {
  assert.deepEqual(await balanceBy(new Rest(edOptions)).then(it => it.length ?? it.balances.length), (await balanceBy(rest).then(it => it.length ?? it.balances.length)))
})

// --- the WebSocket API --------------------------------------------------------------------------------------

for (const [how, client] of [['each request signed (HMAC)', signing], ['after log on (Ed25519)', session]]) {
  await step(`order over the WebSocket API, ${how}`, async () => {
    await lookAtTouch()
    const id = newId()
    const order = stamped(limitOrder(id, 'BUY', belowBid()))
    const placed = futures ? await client.submitNewFuturesOrder(product, order) : await client.submitNewSpotOrder(order)
    assert.deepEqual([placed.status, placed.result.clientOrderId], [200, id])
    await report(id, 'NEW')
    if (futures) {
      const price = belowBid(0.02)
      const moved = await client.modifyFuturesOrder(product, stamped({ symbol, side: 'BUY', origClientOrderId: id, quantity: lot, price }))
      assert.equal(Number(moved.result.price), Number(price))
      assert.equal((await client.getFuturesOrderStatus(product, stamped({ symbol, origClientOrderId: id }))).result.status, 'NEW')
      const gone = await client.cancelFuturesOrder(product, stamped({ symbol, origClientOrderId: id }))
      assert.equal(gone.result.status, 'CANCELED')
      await report(id, 'CANCELED')
      await refusedWith(-2011, client.cancelFuturesOrder(product, stamped({ symbol, origClientOrderId: id })), 'a second cancel')
      await refusedWith(-5022, client.submitNewFuturesOrder(product, stamped(limitOrder(newId(), 'BUY', aboveAsk()))), 'a crossing post-only')
      const rows = product === 'usdm' ? await client.getFuturesAccountBalanceV2(stamped({})) : await client.getFuturesAccountBalance('coinm', stamped({}))
      assert.equal(Number(rows.result.find(each => each.asset === setup.cash).balance), Number((await balances()).get(setup.cash)))
    } else {
      assert.equal((await client.getSpotOrderStatus(stamped({ symbol, origClientOrderId: id }))).result.status, 'NEW')
      const gone = await client.cancelSpotOrder(stamped({ symbol, origClientOrderId: id }))
      assert.deepEqual([gone.result.status, gone.result.origClientOrderId], ['CANCELED', id])
      await report(id, 'CANCELED')
      await refusedWith(-2011, client.cancelSpotOrder(stamped({ symbol, origClientOrderId: id })), 'a second cancel')
      await refusedWith(-2010, client.submitNewSpotOrder(stamped(limitOrder(newId(), 'BUY', aboveAsk()))), 'a crossing post-only')
      const rows = (await client.getSpotAccountInformation(stamped({}))).result.balances
      assert.equal(rows.find(each => each.asset === 'BTC').free, (await balances()).get('BTC'))
    }
  })
}
await step('the WebSocket API refuses a wrong secret and a stale timestamp', async () => {
  const wrong = new WebsocketAPIClient({ ...options, api_secret: 'not-the-secret', beautify: false, attachEventListeners: false, authPrivateRequestsIndividually: true, restOptions: { disableTimeSync: true } }, quiet)
  wrong.getWSClient().on('exception', () => {})
  const place = (client, order) => futures ? client.submitNewFuturesOrder(product, order) : client.submitNewSpotOrder(order)
  await refusedWith(-1022, place(wrong, stamped(limitOrder(newId(), 'BUY', belowBid()))), 'a wrong signature')
  await refusedWith(-1021, place(signing, { ...limitOrder(newId(), 'BUY', belowBid()), timestamp: Date.now() - 8000 }), 'a stale order')
  await wrong.disconnectAll()
})

// --- the books ----------------------------------------------------------------------------------------------

await step('fills, position and balance are the simulator\'s own', async () => {
  const books = await simulatorBooks(kind)
  const own = await trades()
  assert.deepEqual(own.map(each => each.id).sort(), books.fills.map(each => each.trade_id).sort())
  const sum = (rows, field) => rows.reduce((total, row) => total + units(row[field]), 0n)
  assert.equal(sum(own, 'commission'), sum(books.fills, 'fee'))
  assert.equal(books.holding.open_orders.length, 0)
  if (futures) assert.equal(units(await position()), units(books.holding.position))
  const told = await balances()
  for (const cash of books.cash) assert.equal(units(told.get(cash.asset)), units(cash.free), cash.asset)
  const reported = account.all.map(orderReport).filter(it => it?.did === 'TRADE').map(it => it.trade)
  assert.deepEqual(reported.sort(), own.map(each => each.id).sort(), 'a fill came twice or not at all by event')
  return { fills: own.length, maker: books.holding.maker_fills }
})

stream.closeAll(true)
await Promise.all([session.disconnectAll(), signing.disconnectAll()])
finish(`binance_sdk ${product}${product === 'spot' && byListenKey ? ' by listen key' : ''}`, reached)
