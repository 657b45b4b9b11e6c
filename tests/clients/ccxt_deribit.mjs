// ccxt and ccxt pro, unmodified, trade at the simulator as Deribit: `node ccxt_deribit.mjs inverse|linear`.
//
// ccxt sends every private call by HTTP GET, signed with deri-hmac-sha256, and logs in to the socket with
// client_signature.  It follows the book by `book.*.100ms` and throws when a change does not link to the one before.
import { reached } from './lib/redirect.mjs'
import { Inbox, assert, finish, key, load, pause, refused, secret, simulatorBooks, step, strangerTrades, units } from './lib/steps.mjs'

const ccxt = load('ccxt')

const product = process.argv[2]
const setups = {
  inverse: { symbol: 'BTC/USD:BTC', id: 'BTC-PERPETUAL', lot: 100, part: 40, cash: 'BTC', contract: 10 },
  linear: { symbol: 'BTC/USDC:USDC', id: 'BTC_USDC-PERPETUAL', lot: 0.01, part: 0.004, cash: 'USDC', contract: 0.001 }
}
const setup = setups[product]
assert(setup, 'usage: ccxt_deribit.mjs inverse|linear')
const { symbol, id, lot, part } = setup
const kind = `deribit.${product}`

const make = (changes = {}) => new ccxt.pro.deribit({ apiKey: key, secret, enableRateLimit: false, ...changes })
const venue = make()

// --- helpers ------------------------------------------------------------------------------------------------

let ending = false
const orders = new Inbox()
const fills = new Inbox()
async function follow (watch, box) {
  while (!ending) {
    try {
      for (const each of await watch()) box.put(structuredClone(each))
    } catch (error) {
      if (!ending) throw error
    }
  }
}
const ordered = (orderId, state, from = 0) => orders.next(order => order.id === orderId && order.info.order_state === state, { from, what: `order ${orderId} ${state}` })

const near = (price, share) => venue.priceToPrecision(symbol, price * (1 + share))
let touch
async function lookAtTouch () {
  const book = await venue.fetchOrderBook(symbol, 5)
  touch = { bid: book.bids[0][0], ask: book.asks[0][0] }
  return touch
}
const postOnly = { postOnly: true } // ccxt adds reject_post_only
/* ccxt keeps the venue's words in its message. */
async function refusedWith (code, promise, what) {
  const error = await refused(promise, what)
  assert(String(error?.message).includes(`"code":${code}`), `${what}: ${error?.name}: ${error?.message}`)
  return { as: error.name, code }
}

// --- the market ---------------------------------------------------------------------------------------------

await step('loadMarkets', async () => {
  const markets = await venue.loadMarkets()
  const it = markets[symbol]
  assert(it, `${symbol} is not among ${Object.keys(markets)}`)
  assert.deepEqual([it.id, it.active, it.swap, it.contractSize, it.inverse], [id, true, true, setup.contract, product === 'inverse'])
  assert(it.taker > 0 && Object.values(markets).some(each => each.option) && Object.values(markets).some(each => each.future))
  return { markets: Object.keys(markets).length, tick: it.precision.price, lot: it.precision.amount }
})
await step('fetchTime, fetchStatus, fetchTicker, fetchTrades, fetchOHLCV, fetchOrderBook', async () => {
  assert(Math.abs(await venue.fetchTime() - Date.now()) < 1000)
  assert.equal((await venue.fetchStatus()).status, 'ok')
  await lookAtTouch()
  await strangerTrades(kind, touch.ask, part, 'buy')
  const ticker = await venue.fetchTicker(symbol)
  assert(ticker.bid > 0 && ticker.ask > ticker.bid && ticker.high >= ticker.low)
  const trades = await venue.fetchTrades(symbol, undefined, 500)
  assert(trades.some(each => each.price === touch.ask && each.amount === part && each.side === 'buy'),
    `${part} at ${touch.ask} is not among ${trades.map(each => `${each.amount} at ${each.price}`)}`)
  const candle = (await venue.fetchOHLCV(symbol, '1m')).at(-1)
  assert(candle[2] >= candle[3] && candle[0] % 60000 === 0)
  return touch
})
await step('fetchFundingRate, fetchFundingRateHistory', async () => {
  assert(Number.isFinite((await venue.fetchFundingRate(symbol)).fundingRate))
  assert(Array.isArray(await venue.fetchFundingRateHistory(symbol)))
})
await step('watchOrderBook: 20 updates without a gap, then as the snapshot says', async () => {
  let book
  for (let i = 0; i < 20; i++) {
    book = await venue.watchOrderBook(symbol)
    assert(book.bids[0][0] < book.asks[0][0], 'crossed')
  }
  // ccxt keeps no id to meet by, and the touch moves between the two answers: nearly all of twenty levels are the same
  let most = 0
  for (let i = 0; i < 40; i++) {
    const asked = await venue.fetchOrderBook(symbol, 20)
    for (const each of [book, book = await venue.watchOrderBook(symbol)]) {
      const held = new Set([...each.bids, ...each.asks].map(level => `${level[0]} ${level[1]}`))
      most = Math.max(most, [...asked.bids, ...asked.asks].filter(level => held.has(`${level[0]} ${level[1]}`)).length)
    }
    if (most >= 37) return { same: most, tries: i + 1 }
  }
  throw new Error(`only ${most} of 40 levels are the same`)
}, 20000)
await step('watchTrades, watchTicker, watchTickers, watchBidsAsks, watchOHLCV', async () => {
  const waiting = venue.watchTrades(symbol)
  await pause(400)
  await strangerTrades(kind, touch.ask, part, 'buy')
  assert.equal((await waiting)[0].symbol, symbol)
  const ticker = await venue.watchTicker(symbol)
  assert(ticker.bid > 0 && ticker.ask > ticker.bid)
  assert((await venue.watchTickers([symbol]))[symbol].bid > 0)
  assert((await venue.watchBidsAsks([symbol]))[symbol].ask > 0)
  const candle = (await venue.watchOHLCV(symbol, '1m')).at(-1)
  assert(candle[2] >= candle[3])
})
if (product === 'inverse') {
  await step('an option: fetchTicker, fetchGreeks, fetchOrderBook, watchTicker, watchOrderBook, the chain', async () => {
    const option = Object.values(venue.markets).find(each => each.option && each.optionType === 'call').symbol
    const greeks = await venue.fetchGreeks(option)
    assert(greeks.delta > 0 && greeks.delta < 1 && greeks.markImpliedVolatility > 1, 'volatility is in percent')
    const book = await venue.fetchOrderBook(option)
    assert(book.bids[0][0] < book.asks[0][0] && book.asks[0][0] < 1, 'a premium is in coin')
    const ticker = await venue.watchTicker(option)
    assert.equal(ticker.symbol, option)
    await venue.watchOrderBook(option)
    assert((await venue.fetchOptionChain('BTC'))[option].markPrice > 0)
    return { option, delta: greeks.delta }
  })
}

// --- the account --------------------------------------------------------------------------------------------

await step('fetchBalance, fetchPositions, fetchAccounts, fetchTradingFees', async () => {
  const balance = await venue.fetchBalance()
  assert(balance[setup.cash].free > 0)
  assert.equal((await venue.fetchPositions([symbol])).filter(each => each.contracts).length, 0)
  assert((await venue.fetchAccounts()).length > 0)
  await venue.fetchTradingFees()
  return balance[setup.cash]
})
follow(() => venue.watchOrders(symbol), orders)
follow(() => venue.watchMyTrades(symbol), fills)
await pause(800)

await step('post-only: reply, stream, fetchOpenOrders, fetchOrder, edit, cancel, cancel again', async () => {
  await lookAtTouch()
  const order = await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.005), { ...postOnly, label: 'ccxt-1' })
  assert.deepEqual([order.status, order.postOnly, order.price, order.clientOrderId ?? order.info.label], ['open', true, Number(near(touch.bid, -0.005)), 'ccxt-1'])
  await ordered(order.id, 'open')
  assert.deepEqual((await venue.fetchOpenOrders(symbol)).map(each => each.id), [order.id])
  assert.equal((await venue.fetchOrder(order.id, symbol)).status, 'open')
  const moved = near(touch.bid, -0.008)
  const from = orders.here()
  const edited = await venue.editOrder(order.id, symbol, 'limit', 'buy', lot, moved)
  assert.deepEqual([edited.id, edited.price, edited.info.replaced], [order.id, Number(moved), true])
  await orders.next(each => each.id === order.id && each.price === Number(moved), { from, what: 'the edit' })
  assert.equal((await venue.cancelOrder(order.id, symbol)).status, 'canceled')
  const gone = await ordered(order.id, 'cancelled')
  assert.equal(gone.info.cancel_reason, 'user_request')
  assert.equal((await venue.fetchOrder(order.id, symbol)).status, 'canceled')
  return refusedWith(11044, venue.cancelOrder(order.id, symbol), 'a second cancel')
})
await step('a post-only order that would cross is refused; without reject_post_only it slides', async () => {
  await lookAtTouch()
  const seen = await refusedWith(11054, venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.ask, 0.002), postOnly), 'a crossing post-only')
  const slid = await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.ask, 0.002), { post_only: true, reject_post_only: false })
  assert.equal(slid.status, 'open')
  assert(slid.price < Number(near(touch.ask, 0.002)), `it rests at ${slid.price}`)
  // it is the best bid now: whoever sells next may have taken it already
  await venue.cancelOrder(slid.id, symbol).catch(() => {})
  if ((await venue.fetchOrder(slid.id, symbol)).filled > 0) await venue.privateGetClosePosition({ instrument_name: id, type: 'market' })
  return { ...seen, slid: slid.price, ask: touch.ask }
})
await step('a price off the tick, an unknown order and a price outside the band are refused', async () => {
  // inverse ticks in halves, linear in tenths: one has a price of its decimals off the tick, the other a digit too many
  const off = product === 'inverse' ? (touch.bid - 100.1).toFixed(1) : (touch.bid - 100.03).toFixed(2)
  await refusedWith(product === 'inverse' ? 10043 : 10026, venue.privateGetBuy({ instrument_name: id, amount: lot, type: 'limit', price: off, post_only: true }), 'half a tick')
  await refusedWith(10004, venue.cancelOrder(product === 'linear' ? 'USDC-5' : '5', symbol), 'an unknown order')
  return refusedWith(10007, venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.ask, 0.1), postOnly), 'far above')
})
await step('market order: fills in the reply, by stream, in the history and in the position', async () => {
  const order = await venue.createOrder(symbol, 'market', 'buy', lot)
  assert.deepEqual([order.status, order.filled], ['closed', lot])
  await ordered(order.id, 'filled')
  const inReply = order.trades.map(each => each.id).sort()
  assert(inReply.length > 0)
  for (const trade of inReply) await fills.next(each => each.id === trade, { what: `the fill ${trade}` })
  const own = (await venue.fetchMyTrades(symbol)).filter(each => each.order === order.id)
  assert.deepEqual(own.map(each => each.id).sort(), inReply)
  assert.deepEqual((await venue.fetchOrderTrades(order.id, symbol)).map(each => each.id).sort(), inReply)
  assert(own.every(each => each.takerOrMaker === 'taker' && each.fee.cost > 0 && each.fee.currency === setup.cash))
  const position = await venue.fetchPosition(symbol)
  assert.deepEqual([position.side, units(String(Math.abs(position.info.size)))], ['long', units(String(lot))])
  return { fills: inReply.length, fee: own[0].fee }
})
await step('a resting order is filled as maker, in parts', async () => {
  await lookAtTouch()
  const price = near(touch.ask, 0.001)
  const order = await venue.createOrder(symbol, 'limit', 'sell', lot, price, postOnly)
  await ordered(order.id, 'open')
  const through = near(Number(price), 0.0002)
  await strangerTrades(kind, through, part, 'buy')
  const first = await fills.next(each => each.order === order.id, { what: 'the first fill' })
  assert.deepEqual([first.amount, first.takerOrMaker, first.price], [part, 'maker', Number(price)])
  const now = await orders.next(each => each.id === order.id && each.filled > 0, { what: 'the part filled order' })
  assert.deepEqual([now.status, now.filled], ['open', part])
  await strangerTrades(kind, through, lot, 'buy')
  const done = await ordered(order.id, 'filled')
  assert.deepEqual([done.status, done.filled], ['closed', lot])
})
await step('IOC and FOK that find nothing are results with state cancelled', async () => {
  for (const timeInForce of ['IOC', 'FOK']) {
    const order = await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.005), { timeInForce })
    assert.deepEqual([order.status, order.filled], ['canceled', 0])
  }
})
await step('watchBalance follows a fill; reduce-only ends flat', async () => {
  const waiting = venue.watchBalance()
  waiting.catch(() => {})
  await pause(700)
  await venue.createOrder(symbol, 'market', 'buy', lot)
  const told = await waiting
  assert(told[setup.cash])
  const order = await venue.createOrder(symbol, 'market', 'sell', lot, undefined, { reduceOnly: true })
  await ordered(order.id, 'filled')
  assert.equal((await venue.fetchPositions([symbol])).filter(each => each.contracts).length, 0)
})
await step('cancelAllOrders, fetchClosedOrders', async () => {
  await lookAtTouch()
  const two = [
    await venue.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.005), postOnly),
    await venue.createOrder(symbol, 'limit', 'sell', lot, near(touch.ask, 0.005), postOnly)
  ]
  await venue.cancelAllOrders(symbol)
  for (const order of two) await ordered(order.id, 'cancelled')
  assert.equal((await venue.fetchOpenOrders(symbol)).length, 0)
  assert((await venue.fetchClosedOrders(symbol)).some(each => each.status === 'closed'))
})

// --- who may not --------------------------------------------------------------------------------------------

await step('a wrong secret and an unknown key are refused, by HTTP and socket', async () => {
  const wrong = make({ secret: 'not-the-secret' })
  await refusedWith(13009, wrong.fetchBalance(), 'a wrong signature')
  await refusedWith(13009, wrong.createOrder(symbol, 'limit', 'buy', lot, near(touch.bid, -0.005), postOnly), 'an order with a wrong signature')
  await refusedWith(13009, wrong.watchOrders(symbol), 'a log in with a wrong signature')
  await wrong.close()
  await refusedWith(13004, make({ apiKey: 'nobody' }).fetchBalance(), 'an unknown key')
  assert.equal((await venue.fetchOpenOrders(symbol)).length, 0)
})

// --- the books ----------------------------------------------------------------------------------------------

await step('fills, fees and balance are the simulator\'s own, and no fill is missing in the stream', async () => {
  const books = await simulatorBooks(product, id)
  const own = await venue.fetchMyTrades(symbol, undefined, 1000)
  const numbers = own.map(each => each.id.split('-').at(-1)).sort()
  assert.deepEqual(numbers, books.fills.map(each => String(each.trade_id)).sort())
  assert.deepEqual(fills.all.map(each => each.id.split('-').at(-1)).sort(), numbers, 'a fill did not come by stream')
  const sum = list => list.reduce((total, each) => total + units(each), 0n)
  assert.equal(sum(own.map(each => Number(each.info.fee).toFixed(12))), sum(books.fills.map(each => each.fee)))
  assert.equal(books.holding.open_orders.length, 0)
  assert.equal(units(books.holding.position), 0n)
  const told = (await venue.privateGetGetAccountSummary({ currency: setup.cash })).result
  const money = books.money.find(each => each.currency === setup.cash)
  assert.deepEqual([Number(told.equity).toFixed(8), Number(told.balance).toFixed(8)], [Number(money.equity).toFixed(8), Number(money.balance).toFixed(8)])
  return { fills: own.length, maker: books.holding.maker_fills }
})

ending = true
await Promise.race([venue.close().catch(() => {}), pause(500)])
finish(`ccxt_deribit ${product}`, reached)
