// ccxt pro, unmodified, trades at the simulator: `node ccxt_pro.mjs usdm|coinm|spot`.
//
// Everything goes through ccxt's unified interface, by REST and by stream: markets, book, trades, ticker, balance,
// positions, post-only, amend, cancel, cancel all, market order, own orders and fills.  ccxt checks the book's
// sequence itself and throws on a gap; the test compares its book with a snapshot and its account with the
// simulator's own.
import { reached } from './lib/redirect.mjs'
import {
  Inbox, assert, edKey, edSecret, finish, key, load, pause, refused, secret, simulatorBooks, step, strangerTrades, units
} from './lib/steps.mjs'

const ccxt = load('ccxt')

const product = process.argv[2]
const setups = {
  usdm: { exchange: 'binanceusdm', kind: 'linear', symbol: 'BTC/USDT:USDT', id: 'BTCUSDT', lot: 0.01, part: 0.004, cash: 'USDT' },
  coinm: { exchange: 'binancecoinm', kind: 'inverse', symbol: 'BTC/USD:BTC', id: 'BTCUSD_PERP', lot: 10, part: 4, cash: 'BTC' },
  spot: { exchange: 'binance', kind: 'spot', symbol: 'BTC/USDT', id: 'BTCUSDT', lot: 0.01, part: 0.004, cash: 'USDT' }
}
const setup = setups[product]
assert(setup, 'usage: ccxt_pro.mjs usdm|coinm|spot')
const { kind, symbol, lot, part } = setup
const futures = product !== 'spot'

// ccxt's own pacing is for the real venue's sake; fetchCurrencies and the other products' markets are not asked for.
const options = {
  apiKey: key,
  secret,
  enableRateLimit: false,
  options: { fetchCurrencies: false, ...(futures ? {} : { fetchMarkets: { types: ['spot'] }, defaultType: 'spot' }) }
}
const make = (changes = {}) => new ccxt.pro[setup.exchange]({ ...options, ...changes })
const venue = make()

// --- streams ------------------------------------------------------------------------------------------------

let ending = false
const orders = new Inbox()
const fills = new Inbox()

/* follow calls a watch method for ever and puts what it brings in a box. */
async function follow (watch, box) {
  while (!ending) {
    try {
      for (const each of await watch()) box.put(structuredClone(each))
    } catch (error) {
      if (!ending) throw error
    }
  }
}
/* ccxt's states are open, closed, canceled; the venue's own word is in info. */
const stateOf = order => order.info.X ?? order.info.status
const ordered = (id, state, from = 0) => orders.next(order => order.id === id && stateOf(order) === state,
  { from, what: `order ${id} ${state}` })

const near = (price, share) => venue.priceToPrecision(symbol, price * (1 + share))
let touch
async function lookAtTouch () {
  const book = await venue.fetchOrderBook(symbol, 5)
  touch = { bid: book.bids[0][0], ask: book.asks[0][0] }
  return touch
}
const postOnly = { postOnly: true }
/* ccxt knows an exception for most codes; where it knows none the venue's code is in the message. */
const refusedWith = async (code, promise, what) => {
  const error = await refused(promise, what)
  // spot's crossing order has an exception and a sentence of its own, and then the code is left out
  const known = code === -2010 && error instanceof ccxt.OrderImmediatelyFillable
  assert(known || String(error?.message).includes(`"code":${code}`), `${what}: ${error?.name}: ${error?.message}`)
  return { as: error.name, code }
}
const refusedAs = async (kinds, promise, what) => {
  const error = await refused(promise, what)
  assert(kinds.some(each => error instanceof ccxt[each]), `${what}: ${error?.name}: ${error?.message}`)
  return { as: error.name }
}

// --- the market ---------------------------------------------------------------------------------------------

await step('loadMarkets', async () => {
  const markets = await venue.loadMarkets()
  const it = markets[symbol]
  assert(it, `${symbol} is not among ${Object.keys(markets)}`)
  assert.equal(it.id, setup.id)
  assert.equal(it.active, true)
  assert.deepEqual([it.linear, it.inverse, it.spot], { usdm: [true, false, false], coinm: [false, true, false], spot: [undefined, undefined, true] }[product])
  if (futures) assert.equal(it.contractSize, product === 'coinm' ? 100 : 1)
  return { markets: Object.keys(markets).length, tick: it.precision.price, lot: it.precision.amount }
})
await step('fetchTime, fetchTicker, fetchTrades, fetchOrderBook', async () => {
  assert(Math.abs(await venue.fetchTime() - Date.now()) < 1000)
  await lookAtTouch()
  await strangerTrades(kind, touch.ask, part, 'buy')
  const ticker = await venue.fetchTicker(symbol)
  assert(ticker.last > 0 && ticker.high >= ticker.last && ticker.low <= ticker.last && ticker.vwap >= ticker.low && ticker.vwap <= ticker.high)
  const trades = await venue.fetchTrades(symbol, undefined, 500)
  assert(trades.some(trade => trade.price === touch.ask && trade.amount === part && trade.side === 'buy'))
  return touch
})
await step('watchOrderBook: 20 updates without a gap, then as the snapshot says', async () => {
  let book
  for (let i = 0; i < 20; i++) {
    book = await venue.watchOrderBook(symbol, 1000)
    assert(book.bids[0][0] < book.asks[0][0], 'crossed')
  }
  // The stream and the snapshot meet when a snapshot has a nonce that the followed book passed.
  const seen = new Map()
  const plain = levels => Array.from(levels).slice(0, 30).map(level => [level[0], level[1]])
  const keep = async () => {
    book = await venue.watchOrderBook(symbol, 1000)
    seen.set(book.nonce, { bids: plain(book.bids), asks: plain(book.asks) })
  }
  for (let i = 0; i < 60; i++) {
    await keep()
    const snapshot = await venue.fetchOrderBook(symbol, 1000)
    for (let k = 0; k < 3 && !seen.has(snapshot.nonce); k++) await keep()
    const ours = seen.get(snapshot.nonce)
    if (ours) {
      // The simulator shows the newest touch of a recording in both, whatever the nonce: levels behind it are compared.
      const behind = each => {
        const bid = Math.min(ours.bids[0][0], snapshot.bids[0][0])
        const ask = Math.max(ours.asks[0][0], snapshot.asks[0][0])
        return [plain(each.bids).filter(level => level[0] < bid).slice(0, 15), plain(each.asks).filter(level => level[0] > ask).slice(0, 15)]
      }
      assert(behind(snapshot).every(side => side.length >= 5))
      assert.deepEqual(behind(ours), behind(snapshot))
      return { nonce: snapshot.nonce, tries: i + 1 }
    }
  }
  throw new Error('no snapshot met the stream')
}, 20000)
await step('watchTrades', async () => {
  const waiting = venue.watchTrades(symbol)
  await pause(300)
  await strangerTrades(kind, touch.ask, part, 'buy')
  const trade = (await waiting)[0]
  assert.equal(trade.symbol, symbol)
  assert(trade.price > 0 && trade.amount > 0 && ['buy', 'sell'].includes(trade.side))
})
await step('watchTicker', async () => {
  const ticker = await venue.watchTicker(symbol)
  assert.equal(ticker.symbol, symbol)
  assert(ticker.last > 0 && ticker.high >= ticker.last && ticker.low <= ticker.last && ticker.baseVolume > 0)
  return { last: ticker.last, change: ticker.percentage }
})
await step('watchBidsAsks', async () => {
  const ticker = (await venue.watchBidsAsks([symbol]))[symbol]
  assert(ticker.bid > 0 && ticker.ask > ticker.bid)
})
if (futures) {
  await step('fetchFundingRate, watchMarkPrice', async () => {
    const rate = await venue.fetchFundingRate(symbol)
    assert(rate.markPrice > 0 && rate.fundingTimestamp > Date.now())
    const mark = await venue.watchMarkPrice(symbol)
    assert(mark.markPrice > 0)
    return { rate: rate.fundingRate }
  })
}

await step('fetchTickers, fetchBidsAsks, fetchLastPrices, fetchOHLCV', async () => {
  const tickers = await venue.fetchTickers([symbol])
  const quotes = await venue.fetchBidsAsks([symbol])
  assert(tickers[symbol].last > 0 && quotes[symbol].ask > quotes[symbol].bid)
  assert((await venue.fetchLastPrices([symbol]))[symbol].price > 0)
  const candles = await venue.fetchOHLCV(symbol, '1m')
  const [time, open, high, low, close, volume] = candles.at(-1)
  assert(time % 60000 === 0 && low <= Math.min(open, close) && high >= Math.max(open, close))
  // what traded is in a candle: the oldest trade kept and everything since
  const trades = await venue.fetchTrades(symbol, undefined, 1000)
  assert(candles.reduce((sum, each) => sum + each[5], 0) > 0 && trades.length > 0 && volume >= 0)
  for (const trade of trades.filter(each => each.timestamp >= time && each.timestamp < time + 60000)) {
    assert(trade.price <= high || candles.length > 1, 'a trade above its candle')
  }
  return { candles: candles.length }
})
await step('watchOHLCV, watchTradesForSymbols, watchOrderBookForSymbols, and an end of each', async () => {
  const candle = (await venue.watchOHLCV(symbol, '1m')).at(-1)
  assert(candle[2] >= candle[3] && candle[1] > 0)
  const waiting = venue.watchTradesForSymbols([symbol])
  await pause(300)
  await strangerTrades(kind, touch.ask, part, 'buy')
  assert.equal((await waiting)[0].symbol, symbol)
  assert.equal((await venue.watchOrderBookForSymbols([symbol])).symbol, symbol)
  await venue.unWatchTradesForSymbols([symbol])
  await venue.unWatchOrderBookForSymbols([symbol])
  const again = await venue.watchOrderBook(symbol)
  assert(again.bids[0][0] < again.asks[0][0])
})
await step('watchTickers of every symbol', async () => {
  // the futures hosts carry both products' symbols; each is told apart
  const all = await venue.watchTickers()
  assert(all[symbol]?.last > 0, `${symbol} is not among ${Object.keys(all)}`)
  if (futures) assert((await venue.watchMarkPrices())[symbol].markPrice > 0)
  return Object.keys(all)
})
if (futures) {
  await step('fetchFundingRates, fetchFundingRateHistory, fetchFundingHistory, leverage and margin mode', async () => {
    assert((await venue.fetchFundingRates([symbol]))[symbol].fundingTimestamp > Date.now())
    const past = await venue.fetchFundingRateHistory(symbol, undefined, 3)
    assert.equal(past.length, 3)
    assert(past[0].timestamp < past[2].timestamp && past[2].timestamp <= Date.now())
    assert.deepEqual(await venue.fetchFundingHistory(symbol), [])
    await venue.setLeverage(7, symbol)
    assert.equal((await venue.fetchLeverage(symbol)).longLeverage, 7)
    const [tier] = (await venue.fetchLeverageTiers([symbol]))[symbol]
    assert(tier.maintenanceMarginRate > 0)
    assert.equal((await venue.fetchMarginMode(symbol)).marginMode, 'cross')
    await refusedWith(-4168, venue.setMarginMode('isolated', symbol), 'isolated margin')
    return refusedWith(-4059, venue.setPositionMode(false, symbol), 'no change of the position mode')
  })
}

// --- the account --------------------------------------------------------------------------------------------

await step('fetchBalance', async () => {
  const balance = await venue.fetchBalance()
  assert(balance[setup.cash].free > 0)
  return balance[setup.cash]
})
if (futures) {
  await step('fetchPositions, fetchPositionMode', async () => {
    assert.equal((await venue.fetchPositions([symbol])).filter(each => each.contracts).length, 0)
    assert.equal((await venue.fetchPositionMode(symbol)).hedged, false)
  })
  await step('fetchTradingFee', async () => {
    const fee = await venue.fetchTradingFee(symbol)
    assert(fee.taker > fee.maker && fee.maker > 0)
    return { maker: fee.maker, taker: fee.taker }
  })
}

follow(() => venue.watchOrders(symbol), orders)
follow(() => venue.watchMyTrades(symbol), fills)
await pause(600)

await step('createOrder post-only, by REST: reply, watchOrders, fetchOpenOrders, fetchOrder', async () => {
  await lookAtTouch()
  const price = near(touch.bid, -0.01)
  const order = await venue.createOrder(symbol, 'limit', 'buy', lot, price, postOnly)
  assert.equal(order.postOnly, true)
  assert.equal(order.price, Number(price))
  const seen = await ordered(order.id, 'NEW')
  assert.equal(seen.amount, lot)
  assert.deepEqual((await venue.fetchOpenOrders(symbol)).map(each => each.id), [order.id])
  assert.equal((await venue.fetchOrder(order.id, symbol)).status, 'open')

  if (futures) {
    const moved = near(touch.bid, -0.02)
    const amended = await venue.editOrder(order.id, symbol, 'limit', 'buy', lot, moved)
    assert.deepEqual([amended.id, amended.price], [order.id, Number(moved)])
    await orders.next(each => each.id === order.id && each.info.x === 'AMENDMENT' && each.price === Number(moved), { what: 'the amendment' })
  }
  const gone = await venue.cancelOrder(order.id, symbol)
  assert.equal(gone.id, order.id)
  await ordered(order.id, 'CANCELED')
  assert.equal((await venue.fetchOrder(order.id, symbol)).status, 'canceled')
  await refusedAs(['OrderNotFound'], venue.cancelOrder(order.id, symbol), 'a second cancel')
  return { id: order.id }
})
await step('createOrderWs, editOrderWs, fetchOrderWs, cancelOrderWs', async () => {
  const price = near(touch.bid, -0.01)
  const order = await venue.createOrderWs(symbol, 'limit', 'buy', lot, price, postOnly)
  await ordered(order.id, 'NEW')
  const moved = near(touch.bid, -0.02)
  // spot's edit is a cancel and a new order
  const amended = await venue.editOrderWs(order.id, symbol, 'limit', 'buy', lot, moved, futures ? {} : postOnly)
  assert.equal(amended.price, Number(moved))
  if (futures) assert.equal(amended.id, order.id)
  else await ordered(order.id, 'CANCELED')
  assert.equal((await venue.fetchOrderWs(amended.id, symbol)).status, 'open')
  await venue.cancelOrderWs(amended.id, symbol)
  await ordered(amended.id, 'CANCELED')
  await refusedAs(['OrderNotFound'], venue.cancelOrderWs(amended.id, symbol), 'a second cancel')
})
if (!futures) {
  await step('editOrder by REST cancels and replaces', async () => {
    const order = await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), postOnly)
    const moved = near(touch.bid, -0.02)
    const amended = await venue.editOrder(order.id, symbol, 'limit', 'buy', lot, moved)
    assert.equal(amended.price, Number(moved))
    await ordered(order.id, 'CANCELED')
    await ordered(amended.id, 'NEW')
    await venue.cancelOrder(amended.id, symbol)
  })
}
await step('a post-only order that would cross is refused, by REST and WebSocket', async () => {
  await lookAtTouch()
  const price = near(touch.ask, 0.01)
  const code = futures ? -5022 : -2010
  await refusedWith(code, venue.createOrder(symbol, 'limit', 'buy', lot, price, postOnly), 'crossing by REST')
  return refusedWith(code, venue.createOrderWs(symbol, 'limit', 'buy', lot, price, postOnly), 'crossing by WebSocket')
})
await step('market order: watchMyTrades, watchOrders, fetchMyTrades, position or balance agree', async () => {
  const before = (await venue.fetchBalance()).BTC?.total
  const order = await venue.createOrder(symbol, 'market', 'buy', lot)
  await ordered(order.id, 'FILLED')
  let sum = 0, from = 0
  const seen = []
  while (sum < lot - 1e-12) {
    const fill = await fills.next(each => each.order === order.id, { from, what: 'the fill' })
    from = fills.all.indexOf(fill, from) + 1
    if (seen.some(each => each.id === fill.id)) continue
    seen.push(fill)
    sum += fill.amount
  }
  assert(Math.abs(sum - lot) < 1e-12, `filled ${sum}`)
  const own = await venue.fetchMyTrades(symbol)
  for (const fill of seen) {
    const row = own.find(each => each.id === fill.id)
    assert(row, `trade ${fill.id} is not among fetchMyTrades`)
    assert.deepEqual([row.price, row.amount, row.side, row.fee.cost, row.fee.currency, row.takerOrMaker],
      [fill.price, fill.amount, 'buy', fill.fee.cost, fill.fee.currency, 'taker'])
  }
  if (futures) {
    const [it] = await venue.fetchPositions([symbol])
    assert.deepEqual([it.side, it.contracts], ['long', lot])
    assert(Math.abs(it.entryPrice - seen[0].price) / seen[0].price < 0.001)
    return { entry: it.entryPrice, fee: seen[0].fee }
  }
  const after = (await venue.fetchBalance()).BTC.total
  const fee = seen.reduce((total, fill) => total + fill.fee.cost, 0)
  assert(Math.abs(after - before - lot + fee) < 1e-9, `${before} + ${lot} - ${fee} is not ${after}`)
  return { fee: seen[0].fee }
})
await step('a resting order is filled as maker, in parts', async () => {
  await lookAtTouch()
  const price = near(touch.ask, 0.001)
  const order = await venue.createOrder(symbol, 'limit', 'sell', lot, price, postOnly)
  await ordered(order.id, 'NEW')
  const through = near(Number(price), 0.0001)
  await strangerTrades(kind, through, part, 'buy')
  const partial = await fills.next(each => each.order === order.id, { what: 'the first fill' })
  assert.deepEqual([partial.amount, partial.takerOrMaker, partial.price], [part, 'maker', Number(price)])
  const now = await orders.next(each => each.id === order.id && each.filled > 0, { what: 'the part filled order' })
  assert.deepEqual([now.status, now.filled], ['open', part])
  await strangerTrades(kind, through, lot, 'buy')
  const done = await ordered(order.id, 'FILLED')
  assert.deepEqual([done.status, done.filled], ['closed', lot])
})
await step('market order over the WebSocket, then flat again', async () => {
  const order = await venue.createOrderWs(symbol, 'market', 'buy', lot)
  await ordered(order.id, 'FILLED')
  const back = await venue.createOrderWs(symbol, 'market', 'sell', lot, undefined, futures ? { reduceOnly: true } : {})
  await ordered(back.id, 'FILLED')
  if (futures) {
    assert.equal((await venue.fetchPositions([symbol])).filter(each => each.contracts).length, 0)
    await refusedWith(-2022, venue.createOrder(symbol, 'market', 'sell', lot, undefined, { reduceOnly: true }), 'reduce-only when flat')
  }
})
await step('watchBalance and watchPositions follow a fill', async () => {
  const balance = venue.watchBalance()
  const position = futures ? venue.watchPositions([symbol]) : undefined
  for (const each of [balance, position]) each?.catch(() => {})
  await pause(700)
  const order = await venue.createOrder(symbol, 'market', 'buy', lot)
  await ordered(order.id, 'FILLED')
  const told = await balance
  const asked = await venue.fetchBalance()
  assert(told[setup.cash].total > 0)
  if (futures) {
    const it = (await position).find(each => each.symbol === symbol)
    assert.deepEqual([it.side, it.contracts], ['long', lot])
    const [risk] = await venue.fetchPositionsRisk([symbol])
    assert.equal(it.entryPrice, risk.entryPrice)
  }
  const back = await venue.createOrder(symbol, 'market', 'sell', lot, undefined, futures ? { reduceOnly: true } : {})
  await ordered(back.id, 'FILLED')
  return { told: told[setup.cash], asked: asked[setup.cash] }
})
await step('an IOC order that finds nothing expires, a FOK order is refused or expires', async () => {
  await lookAtTouch()
  const ioc = await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), { timeInForce: 'IOC' })
  await ordered(ioc.id, 'EXPIRED')
  const fok = venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), { timeInForce: 'FOK' })
  if (futures) await refusedWith(-5021, fok, 'a FOK order that finds nothing')
  else await ordered((await fok).id, 'EXPIRED')
})
await step('fetchOrders, fetchClosedOrders, fetchCanceledOrders, fetchMyTrades of one order', async () => {
  const all = await venue.fetchOrders(symbol)
  const closed = await venue.fetchClosedOrders(symbol)
  const canceled = await venue.fetchCanceledOrders(symbol)
  assert(closed.length > 0 && closed.every(each => each.filled === each.amount))
  assert(canceled.length > 0 && canceled.every(each => each.status === 'canceled'))
  assert(all.length >= closed.length + canceled.length)
  const of = await venue.fetchMyTrades(symbol, undefined, undefined, { orderId: closed.at(-1).id })
  assert(of.length > 0 && of.every(each => each.order === closed.at(-1).id))
  if (!futures) {
    assert.equal((await venue.fetchOrdersWs(symbol)).length, all.length)
    assert.deepEqual((await venue.fetchMyTradesWs(symbol)).map(each => each.id), (await venue.fetchMyTrades(symbol)).map(each => each.id))
    assert.deepEqual(await venue.fetchOpenOrdersWs(symbol), [])
    assert((await venue.fetchTradingFee(symbol)).taker > 0)
  }
  return { all: all.length, closed: closed.length, canceled: canceled.length }
})
if (futures) {
  await step('createOrders, editOrders and cancelOrders mix results and refusals by place', async () => {
    await lookAtTouch()
    const limit = (side, share, params = postOnly) => ({ symbol, type: 'limit', side, amount: lot, price: Number(near(side === 'buy' ? touch.bid : touch.ask, share)), params })
    const three = await venue.createOrders([limit('buy', -0.01), limit('buy', 0.01), limit('sell', 0.01)])
    assert.equal(three.length, 3)
    assert(three[0].id && three[2].id)
    assert.equal(Number(three[1].info.code), -5022)
    const moved = await venue.editOrders([{ id: three[0].id, symbol, type: 'limit', side: 'buy', amount: lot, price: Number(near(touch.bid, -0.02)) }])
    assert.equal(moved[0].price, Number(near(touch.bid, -0.02)))
    const gone = await venue.cancelOrders([three[0].id, three[2].id], symbol)
    assert.deepEqual(gone.map(each => each.status), ['canceled', 'canceled'])
    for (const id of [three[0].id, three[2].id]) await ordered(id, 'CANCELED')
  })
}
await step('cancelAllOrders', async () => {
  await lookAtTouch()
  const two = [
    await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), postOnly),
    await venue.createOrder(symbol, 'limit', 'sell', lot, near(touch.ask, 0.01), postOnly)
  ]
  await venue.cancelAllOrders(symbol)
  for (const order of two) await ordered(order.id, 'CANCELED')
  assert.equal((await venue.fetchOpenOrders(symbol)).length, 0)
})
if (!futures) {
  await step('cancelAllOrdersWs, fetchBalanceWs', async () => {
    const order = await venue.createOrderWs(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), postOnly)
    await venue.cancelAllOrdersWs(symbol)
    await ordered(order.id, 'CANCELED')
    // ccxt reads spot's account.status as if it were a futures account, so the venue's own words are compared
    const row = list => list.balances.find(each => each.asset === 'BTC')
    assert.deepEqual(row((await venue.fetchBalanceWs()).info), row((await venue.fetchBalance()).info))
  })
} else {
  await step('fetchBalanceWs, fetchPositionsWs', async () => {
    assert.equal((await venue.fetchBalanceWs())[setup.cash].total, (await venue.fetchBalance())[setup.cash].total)
    await venue.fetchPositionsWs([symbol])
  })
}

// --- who may not --------------------------------------------------------------------------------------------

await step('a wrong secret is refused, by REST and WebSocket', async () => {
  const wrong = make({ secret: 'not-the-secret' })
  await refusedAs(['AuthenticationError'], wrong.fetchBalance(), 'a balance')
  await refusedAs(['AuthenticationError'], wrong.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), postOnly), 'an order')
  const how = await refusedAs(['AuthenticationError'], wrong.createOrderWs(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), postOnly), 'an order by WebSocket')
  if (!futures) await refusedAs(['AuthenticationError', 'ExchangeError'], wrong.watchOrders(symbol), 'the user stream')
  await wrong.close()
  assert.equal((await venue.fetchOpenOrders(symbol)).length, 0)
  return how
})
await step('a clock far behind is refused', async () => {
  const late = make()
  const milliseconds = late.milliseconds
  late.milliseconds = function () { return milliseconds.call(this) - 15000 }
  const how = await refusedAs(['InvalidNonce'], late.fetchBalance(), 'a balance')
  await late.close()
  return how
})
await step('an Ed25519 key signs too, by REST and WebSocket', async () => {
  const edwards = make({ apiKey: edKey, secret: edSecret })
  assert.equal((await edwards.fetchBalance())[setup.cash].total, (await venue.fetchBalance())[setup.cash].total)
  const order = await edwards.createOrderWs(symbol, 'limit', 'buy', lot, near(touch.bid, -0.01), postOnly)
  await ordered(order.id, 'NEW')
  await edwards.cancelOrderWs(order.id, symbol)
  await edwards.close()
})

// --- the books ----------------------------------------------------------------------------------------------

await step('fills and balance are the simulator\'s own, and no fill is missing in the stream', async () => {
  const books = await simulatorBooks(kind)
  const own = await venue.fetchMyTrades(symbol)
  const ids = own.map(each => each.id).sort()
  assert.deepEqual(ids, books.fills.map(each => String(each.trade_id)).sort())
  assert.deepEqual(fills.all.map(each => each.id).sort(), ids, 'a fill did not come by stream') // ccxt itself drops what comes twice
  assert.equal(own.reduce((sum, each) => sum + units(each.info.commission), 0n), books.fills.reduce((sum, each) => sum + units(each.fee), 0n))
  assert.equal(books.holding.open_orders.length, 0)
  const rows = (await venue.fetchBalance()).info
  const list = Array.isArray(rows) ? rows : rows.balances ?? rows.assets
  for (const cash of books.cash) {
    const row = list.find(each => each.asset === cash.asset)
    assert.equal(units(row.free ?? row.walletBalance ?? row.balance), units(cash.free), cash.asset)
  }
  return { fills: own.length, maker: books.holding.maker_fills }
})

ending = true
await Promise.race([venue.close().catch(() => {}), pause(500)])
finish(`ccxt_pro ${product}`, reached)
