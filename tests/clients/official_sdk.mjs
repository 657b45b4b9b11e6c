// The venue's own packages, unmodified, trade at the simulator: `node official_sdk.mjs usdm|coinm|spot`.
//
// `@binance/spot`, `@binance/derivatives-trading-usds-futures` and `@binance/derivatives-trading-coin-futures` are
// generated from the venue's description of itself, so what they ask for and how they sign is what the venue says.
// COIN-M's reads order ids as doubles and USD-M's cannot send its own big ids by socket: orders are named by client id.
import { reached } from './lib/redirect.mjs'
import {
  Inbox, assert, edKey, finish, key, load, pause, priceNear, refused, secret, simulatorBooks, step, strangerTrades, units
} from './lib/steps.mjs'

const product = process.argv[2]
const setups = {
  usdm: { name: '@binance/derivatives-trading-usds-futures', Client: 'DerivativesTradingUsdsFutures', kind: 'linear', symbol: 'BTCUSDT', lot: '0.010', part: '0.004', cash: 'USDT' },
  coinm: { name: '@binance/derivatives-trading-coin-futures', Client: 'DerivativesTradingCoinFutures', kind: 'inverse', symbol: 'BTCUSD_PERP', lot: '10', part: '4', cash: 'BTC' },
  spot: { name: '@binance/spot', Client: 'Spot', kind: 'spot', symbol: 'BTCUSDT', lot: '0.01000', part: '0.00400', cash: 'USDT' }
}
const setup = setups[product]
assert(setup, 'usage: official_sdk.mjs usdm|coinm|spot')
const { kind, symbol, lot, part } = setup
const futures = product !== 'spot'
const { [setup.Client]: Client } = load(setup.name)

const make = (changes = {}) => {
  const who = { apiKey: key, apiSecret: secret, retries: 0, ...changes }
  return new Client({ configurationRestAPI: who, configurationWebsocketAPI: { ...who }, configurationWebsocketStreams: {} })
}
const client = make()
/* call answers the body of a REST call. */
const call = async (name, fields = {}, from = client) => (await from.restAPI[name](fields)).data()

/* The packages tell the venue's sentence and keep its code apart, or not at all. */
async function refusedBy (words, promise, what) {
  const error = await refused(promise, what)
  const told = `${error?.code ?? ''} ${error?.message ?? ''} ${JSON.stringify(error) ?? ''}`
  assert(words.test(told), `${what}: ${told}`)
  return { as: error.name }
}

// what differs between the three: the names of calls
const names = futures
  ? {
      time: 'checkServerTime', info: 'exchangeInformation', book: 'orderBook', trades: 'recentTradesList', klines: 'klineCandlestickData',
      ticker: 'symbolOrderBookTicker', day: 'ticker24hrPriceChangeStatistics', own: 'accountTradeList', query: 'queryOrder',
      open: 'currentAllOpenOrders', cancel: 'cancelOrder', cancelAll: 'cancelAllOpenOrders'
    }
  : {
      time: 'time', info: 'exchangeInfo', book: 'depth', trades: 'getTrades', klines: 'klines',
      ticker: 'tickerBookTicker', day: 'ticker24hr', own: 'myTrades', query: 'getOrder',
      open: 'getOpenOrders', cancel: 'deleteOrder', cancelAll: 'deleteOpenOrders'
    }

let tick, touch
const lookAtTouch = async () => {
  const book = await call(names.book, { symbol, limit: 5 })
  touch = { bid: book.bids[0][0], ask: book.asks[0][0] }
  return touch
}
const belowBid = (share = 0.01) => Number(priceNear(touch.bid, -share, tick))
const aboveAsk = (share = 0.01) => Number(priceNear(touch.ask, share, tick))
let serial = 0
const named = order => ({ ...order, newClientOrderId: `official-${process.pid}-${++serial}` })
const postOnly = (side, price) => named(futures
  ? { symbol, side, type: 'LIMIT', timeInForce: 'GTX', quantity: Number(lot), price }
  : { symbol, side, type: 'LIMIT_MAKER', quantity: Number(lot), price, newOrderRespType: 'RESULT' })
const it = order => ({ symbol, origClientOrderId: order.newClientOrderId })

// --- the market ---------------------------------------------------------------------------------------------

await step('time, metadata, book, trades, candles and statistics by REST', async () => {
  assert(Math.abs(Number((await call(names.time)).serverTime) - Date.now()) < 1000)
  const info = (await call(names.info)).symbols.find(each => each.symbol === symbol)
  tick = info.filters.find(each => each.filterType === 'PRICE_FILTER').tickSize
  await lookAtTouch()
  await strangerTrades(kind, touch.ask, part, 'buy')
  const trades = await call(names.trades, { symbol, limit: 1000 })
  assert(trades.some(each => units(each.price) === units(touch.ask) && units(each.qty) === units(part)))
  const candles = await call(names.klines, { symbol, interval: '1m' })
  // every trade kept is in a candle
  const volume = candles.reduce((sum, each) => sum + units(each[5]), 0n)
  assert(volume >= trades.reduce((sum, each) => sum + units(each.qty), 0n), 'a trade is in no candle')
  const one = answer => Array.isArray(answer) ? answer[0] : answer
  assert(Number(one(await call(names.ticker, { symbol })).bidPrice) > 0)
  assert(Number(one(await call(names.day, { symbol })).volume) > 0)
  return { tick, candles: candles.length }
})

const market = new Inbox()
const account = new Inbox()
const streams = await client.websocketStreams.connect()
const socket = await client.websocketAPI.connect()

await step('streams of the book, tickers, trades, candles and every symbol', async () => {
  const lower = symbol.toLowerCase()
  const wanted = futures
    ? {
        diffBookDepthStreams: { symbol: lower, updateSpeed: '100ms' }, partialBookDepthStreams: { symbol: lower, levels: 10 },
        individualSymbolBookTickerStreams: { symbol: lower }, aggregateTradeStreams: { symbol: lower }, markPriceStream: { symbol: lower, updateSpeed: '1s' },
        klineCandlestickStreams: { symbol: lower, interval: '1m' }, individualSymbolTickerStreams: { symbol: lower },
        individualSymbolMiniTickerStream: { symbol: lower }, allMarketTickersStreams: {}, allMarketMiniTickersStream: {}
      }
    : {
        diffBookDepth: { symbol: lower, updateSpeed: '100ms' }, partialBookDepth: { symbol: lower, levels: 10 }, bookTicker: { symbol: lower },
        trade: { symbol: lower }, aggTrade: { symbol: lower }, kline: { symbol: lower, interval: '1m' }, ticker: { symbol: lower },
        miniTicker: { symbol: lower }, allMiniTicker: {}
      }
  for (const [name, fields] of Object.entries(wanted)) {
    streams[name](fields).on('message', message => market.put({ stream: name, message }))
    await pause(futures ? 110 : 210) // the venue takes ten messages a second, spot five
  }
  await pause(400)
  await strangerTrades(kind, touch.ask, part, 'buy')
  for (const name of Object.keys(wanted)) await market.next(each => each.stream === name, { what: name })
  const depth = market.all.filter(each => each.message.e === 'depthUpdate' && each.stream.startsWith('diff')).map(each => each.message)
  for (let i = 1; i < depth.length; i++) {
    assert.equal(String(futures ? depth[i].pu : depth[i].U), String(BigInt(depth[i - 1].u) + (futures ? 0n : 1n)), 'a gap')
  }
  return { streams: Object.keys(wanted).length, depth: depth.length }
})

// --- the account --------------------------------------------------------------------------------------------

let userStream
await step('the user stream', async () => {
  if (futures) {
    const { listenKey } = await call('startUserDataStream')
    userStream = streams.userData(listenKey)
  } else {
    userStream = (await socket.userDataStreamSubscribeSignature()).stream
  }
  userStream.on('message', message => account.put(message.event ?? message))
  await pause(300)
})
const report = event => event.o && event.e === 'ORDER_TRADE_UPDATE'
  ? { id: event.o.c, did: event.o.x, trade: String(event.o.t) }
  : { id: event.C || event.c, did: event.x, trade: String(event.t) }
const reported = ({ newClientOrderId: id }, did) =>
  account.next(event => report(event).id === id && report(event).did === did, { what: `${did} of ${id}` })
const balances = async () => {
  const rows = product === 'usdm'
    ? await call('futuresAccountBalanceV3')
    : product === 'coinm' ? await call('futuresAccountBalance') : (await call('getAccount')).balances
  return new Map(rows.map(row => [row.asset, futures ? row.balance : row.free]))
}
await step('balances, positions, commission, limits', async () => {
  assert(Number((await balances()).get(setup.cash)) > 0)
  if (futures) {
    assert.equal((await call('getCurrentPositionMode')).dualSidePosition, false)
    assert(Number((await call('userCommissionRate', { symbol })).takerCommissionRate) > 0)
    await call(product === 'usdm' ? 'positionInformationV3' : 'positionInformation')
    await call(product === 'usdm' ? 'accountInformationV3' : 'accountInformation')
  } else {
    assert(Number((await call('accountCommission', { symbol })).standardCommission.taker) > 0)
    assert((await call('rateLimitOrder')).length > 0)
  }
})
await step('post-only placed, found, made smaller or moved, cancelled, cancelled again', async () => {
  await lookAtTouch()
  const order = postOnly('BUY', belowBid())
  await call('newOrder', order)
  await reported(order, 'NEW')
  const found = await call(names.query, it(order))
  assert.equal(found.status, 'NEW')
  if (futures) {
    const price = belowBid(0.02)
    const moved = await call('modifyOrder', { ...it(order), side: 'BUY', quantity: Number(part), price })
    assert.deepEqual([Number(moved.price), Number(moved.origQty)], [price, Number(part)])
    await reported(order, 'AMENDMENT')
  } else {
    await call('orderAmendKeepPriority', { ...it(order), newQty: Number(part), newClientOrderId: order.newClientOrderId })
    await reported(order, 'REPLACED')
    const [row] = await call('orderAmendments', { symbol, orderId: found.orderId })
    assert.deepEqual([units(row.origQty), units(row.newQty)], [units(lot), units(part)])
  }
  assert.equal((await call(names.open, { symbol })).length, 1)
  assert.equal((await call(names.cancel, it(order))).status, 'CANCELED')
  await reported(order, 'CANCELED')
  return refusedBy(/Unknown order sent/, call(names.cancel, it(order)), 'a second cancel')
})
await step('post-only that would cross is refused', () =>
  refusedBy(futures ? /could not be executed as maker/ : /would immediately match/, call('newOrder', postOnly('BUY', aboveAsk())), 'a crossing post-only'))
await step('market orders fill, and the fills are listed', async () => {
  for (const side of ['BUY', 'SELL']) {
    const order = named({ symbol, side, type: 'MARKET', quantity: Number(lot), newOrderRespType: 'RESULT' })
    assert.equal((await call('newOrder', order)).status, 'FILLED')
    const fill = report(await reported(order, 'TRADE'))
    assert((await call(names.own, { symbol })).some(each => String(each.id) === fill.trade))
  }
})
await step('the same over the WebSocket API', async () => {
  await lookAtTouch()
  const place = fields => futures ? socket.newOrder(fields) : socket.orderPlace(fields)
  const order = postOnly('SELL', aboveAsk())
  await place(order)
  await reported(order, 'NEW')
  if (futures) {
    const moved = await socket.modifyOrder({ ...it(order), side: 'SELL', quantity: Number(lot), price: aboveAsk(0.02) })
    assert.equal(Number(moved.data.price), aboveAsk(0.02))
  }
  assert.equal((await (futures ? socket.queryOrder(it(order)) : socket.orderStatus(it(order)))).data.status, 'NEW')
  assert.equal((await (futures ? socket.cancelOrder(it(order)) : socket.orderCancel(it(order)))).data.status, 'CANCELED')
  await reported(order, 'CANCELED')
  return refusedBy(futures ? /could not be executed as maker|-5022/ : /would immediately match|-2010/, place(postOnly('SELL', belowBid())), 'a crossing post-only')
})
await step('cancel all', async () => {
  const orders = [postOnly('BUY', belowBid()), postOnly('SELL', aboveAsk())]
  for (const order of orders) await call('newOrder', order)
  await call(names.cancelAll, { symbol })
  for (const order of orders) await reported(order, 'CANCELED')
  assert.equal((await call(names.open, { symbol })).length, 0)
})

// --- who may not --------------------------------------------------------------------------------------------

await step('a wrong secret and an unknown key are refused, by REST and WebSocket', async () => {
  const wrong = make({ apiSecret: 'not-the-secret' })
  await refusedBy(/Signature for this request is not valid/, call('newOrder', postOnly('BUY', belowBid()), wrong), 'a wrong signature')
  const connection = await wrong.websocketAPI.connect()
  await refusedBy(/Signature for this request is not valid|-1022/, (futures ? connection.newOrder(postOnly('BUY', belowBid())) : connection.orderPlace(postOnly('BUY', belowBid()))), 'a wrong signature by WebSocket')
  await connection.disconnect()
  await refusedBy(/Invalid API-key/, call('newOrder', postOnly('BUY', belowBid()), make({ apiKey: 'k'.repeat(64) })), 'an unknown key')
  assert.equal((await call(names.open, { symbol })).length, 0)
})
await step('an Ed25519 key signs too', async () => {
  const edwards = make({ apiKey: edKey, apiSecret: undefined, privateKey: process.env.POISE_ED_SECRET })
  const order = postOnly('BUY', belowBid())
  await call('newOrder', order, edwards)
  await reported(order, 'NEW')
  assert.equal((await call(names.cancel, it(order), edwards)).status, 'CANCELED')
})

// --- the books ----------------------------------------------------------------------------------------------

await step('fills, fees and balances are the simulator\'s own', async () => {
  const books = await simulatorBooks(kind)
  const own = await call(names.own, { symbol })
  assert(own.length > 0)
  assert.deepEqual(own.map(each => String(each.id)).sort(), books.fills.map(each => String(each.trade_id)).sort())
  assert.equal(own.reduce((sum, each) => sum + units(each.commission), 0n), books.fills.reduce((sum, each) => sum + units(each.fee), 0n))
  const told = await balances()
  for (const cash of books.cash) assert.equal(units(told.get(cash.asset)), units(cash.free), cash.asset)
  assert.equal(books.holding.open_orders.length, 0)
  return { fills: own.length }
})

await Promise.race([Promise.all([streams.disconnect(), socket.disconnect()]).catch(() => {}), pause(500)])
finish(`official_sdk ${product}`, reached)
