"""Stack traces as runtimes and loggers write them, made for these tests: {n} stands for a number and {id} for an id that differ from run to run."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace, and what stands in it. other: a word, and what stands there instead in a trace of another fault."""

    name: str
    text: str
    language: str
    type: str
    message: str
    where: str
    causes: tuple[str, ...] = ()
    other: tuple[str, str]

    def written(self, *, number: int = 12, id_: str = "0123456789abcdef") -> str:
        return self.text.replace("{n}", str(number)).replace("{id}", id_)


TRACES = (
    Trace(
        name="php, uncaught",
        text="""PHP Fatal error:  Uncaught TypeError: pay(): Argument #{n} must be of type Basket, null given in /srv/shop/src/Pay.php:{n}
Stack trace:
#0 /srv/shop/src/Checkout.php({n}): Shop\\Pay->pay(NULL)
#1 /srv/shop/vendor/acme/http/src/Kernel.php(88): Shop\\Checkout->{closure}(Object(Acme\\Request))
#2 {main}
  thrown in /srv/shop/src/Pay.php on line {n}""",
        language="php", type="TypeError", message="pay(): Argument #12 must be of type Basket, null given",
        where="Shop\\Pay->pay (src/Pay.php)", other=("Pay->pay", "Pay->refund"),
    ),
    Trace(
        name="php, one after another",
        text="""PHP Fatal error:  Uncaught PDOException: SQLSTATE[HY000] [2002] refused in /srv/shop/src/Db.php:{n}
Stack trace:
#0 /srv/shop/src/Db.php({n}): PDO->__construct('mysql:host=db')
#1 /srv/shop/index.php(3): Shop\\Db->open()
#2 {main}

Next RuntimeException: no database in /srv/shop/src/Db.php:{n}
Stack trace:
#0 /srv/shop/index.php(3): Shop\\Db->open()
#1 {main}
  thrown in /srv/shop/src/Db.php on line {n}""",
        language="php", type="RuntimeException", message="no database", where="Shop\\Db->open (src/Db.php)",
        causes=("PDOException",), other=("Db->open", "Db->close"),
    ),
    Trace(
        name="php, monolog",
        text="""payment failed {"userId":{n},"exception":"[object] (App\\\\Exceptions\\\\PaymentFailed(code: {n}): card {n} refused at /srv/shop/app/Pay.php:{n})
[stacktrace]
#0 /srv/shop/vendor/laravel/framework/src/Pipeline.php({n}): App\\\\Pay->charge()
#1 {main}
[previous exception] [object] (App\\\\Exceptions\\\\Bank(code: 0): timeout at /srv/shop/app/Bank.php:{n})
[stacktrace]
#0 /srv/shop/app/Pay.php(3): App\\\\Bank->ask()
#1 {main}
"}""",
        language="php", type="App\\Exceptions\\PaymentFailed", message="card 12 refused", where="App\\\\Pay->charge (app/Pay.php)",
        causes=("App\\Exceptions\\Bank",), other=("Exceptions\\\\PaymentFailed", "Exceptions\\\\PaymentLost"),
    ),
    Trace(
        name="php, out of memory",
        text="PHP Fatal error:  Allowed memory size of {n} bytes exhausted (tried to allocate {n} bytes) in /srv/shop/src/Export.php on line {n}",
        language="php", type="Fatal error", message="Allowed memory size of 12 bytes exhausted (tried to allocate 12 bytes)",
        where="src/Export.php", other=("Export", "Import"),
    ),
    Trace(
        name="ruby",
        text="""/app/lib/cart.rb:{n}:in 'Cart#total': undefined method '+' for nil (NoMethodError)
\tfrom /usr/local/bundle/gems/rack-3.0.{n}/lib/rack/head.rb:{n}:in 'call'
\tfrom /app/bin/shop:{n}:in '<main>'""",
        language="ruby", type="NoMethodError", message="undefined method '+' for nil", where="Cart#total (lib/cart.rb)",
        other=("Cart#total", "Cart#count"),
    ),
    Trace(
        name="ruby, with a cause",
        text="""/app/lib/cart.rb:{n}:in `rescue in total': cart {n} is lost (Shop::CartLost)
\tfrom /app/lib/cart.rb:{n}:in `total'
\tfrom /app/bin/shop:{n}:in `<main>'
/app/lib/store.rb:{n}:in `fetch': key not found: {n} (KeyError)
\tfrom /app/lib/cart.rb:{n}:in `total'""",
        language="ruby", type="Shop::CartLost", message="cart 12 is lost", where="rescue in total (lib/cart.rb)", causes=("KeyError",),
        other=("store.rb", "shelf.rb"),
    ),
    Trace(
        name="rails",
        text="""ActionController::RoutingError (No route matches [GET] "/carts/{n}"):

actionpack (7.0.{n}) lib/action_dispatch/middleware/debug_exceptions.rb:{n}:in `call'
app/middleware/tenant.rb:{n}:in `call'""",
        language="ruby", type="ActionController::RoutingError", message='No route matches [GET] "/carts/12"',
        where="call (middleware/tenant.rb)", other=("RoutingError", "BadRequest"),
    ),
    Trace(
        name="rails, tagged",
        text="""[{id}] NoMethodError (undefined method `id' for nil:NilClass):
[{id}] \n[{id}] app/controllers/carts_controller.rb:{n}:in `show'""",
        language="ruby", type="NoMethodError", message="undefined method `id' for nil:NilClass",
        where="show (controllers/carts_controller.rb)", other=("`show'", "`edit'"),
    ),
    Trace(
        name="ruby, logged with its lines",
        text="""charging failed: card {n} refused (Pay::Refused)
/app/lib/pay.rb:{n}:in 'block (2 levels) in charge'
<internal:kernel>:187:in 'loop'
/app/lib/worker.rb:{n}:in 'run'""",
        language="ruby", type="Pay::Refused", message="charging failed: card 12 refused", where="block (2 levels) in charge (lib/pay.rb)",
        other=("Refused", "Expired"),
    ),
    Trace(
        name="elixir",
        text="""GenServer #PID<0.{n}.0> terminating
** (KeyError) key :price not found in: %{id: {n}}
    (stdlib 3.17.{n}) :maps.get(:price, %{id: {n}})
    (shop 0.1.{n}) lib/shop/cart.ex:{n}: anonymous fn/2 in Shop.Cart.total/1
    (stdlib 3.17) gen_server.erl:{n}: :gen_server.try_dispatch/4
Last message: {:total, {n}}
State: %{}""",
        language="elixir", type="KeyError", message="key :price not found in: %{id: 12}",
        where="anonymous fn/2 in Shop.Cart.total/1 (shop/cart.ex)", other=("Cart.total", "Cart.count"),
    ),
    Trace(
        name="elixir, of a request",
        text="""#PID<0.{n}.0> running ShopWeb.Endpoint (connection #PID<0.{n}.0>, stream id {n}) terminated
Server: localhost:4000 (http)
Request: GET /carts/{n}
** (exit) an exception was raised:
    ** (RuntimeError) cart {n} is lost
        (shop 0.1.0) lib/shop_web/carts.ex:{n}: ShopWeb.Carts.show/2
        (phoenix 1.7.{n}) lib/phoenix/router.ex:{n}: Phoenix.Router.__call__/5""",
        language="elixir", type="RuntimeError", message="cart 12 is lost", where="ShopWeb.Carts.show/2 (shop_web/carts.ex)",
        other=("Carts.show", "Carts.edit"),
    ),
    Trace(
        name="erlang",
        text="""Error in process <0.{n}.0> with exit value: exception error: bad argument
     in function  shop_cart:total/2 (/app/src/shop_cart.erl, line {n})
     in call from shop_web:show/1 (/app/src/shop_web.erl, line {n})""",
        language="elixir", type="error", message="bad argument", where="shop_cart:total/2 (src/shop_cart.erl)",
        other=("total/2", "count/2"),
    ),
    Trace(
        name="rust",
        text="""thread 'main' ({n}) panicked at src/cart.rs:{n}:{n}:
index out of bounds: the len is {n} but the index is {n}
stack backtrace:
   0: rust_begin_unwind
             at /rustc/{id}/library/std/src/panicking.rs:{n}:5
   1: core::panicking::panic_fmt
             at /rustc/{id}/library/core/src/panicking.rs:{n}:14
   2: shop::cart::total::{{closure}}::h{id}
             at ./src/cart.rs:{n}:5
   3: shop::main
             at ./src/main.rs:{n}:5
note: Some details are omitted""",
        language="rust", type="panic", message="index out of bounds: the len is 12 but the index is 12",
        where="shop::cart::total::{{closure}} (src/cart.rs)", other=("total", "count"),
    ),
    Trace(
        name="rust, without a backtrace",
        text="""thread 'worker-{n}' panicked at shop/src/cart.rs:{n}:5:
cart {n} is lost
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace""",
        language="rust", type="panic", message="cart 12 is lost", where="src/cart.rs", other=("cart.rs", "shelf.rs"),
    ),
    Trace(
        name="rust, as it was",
        text="thread 'main' panicked at 'called `Option::unwrap()` on a `None` value', src/cart.rs:{n}:{n}",
        language="rust", type="panic", message="called `Option::unwrap()` on a `None` value", where="src/cart.rs",
        other=("cart.rs", "shelf.rs"),
    ),
    Trace(
        name="anyhow",
        text="""Error: could not open cart {n}

Caused by:
    0: no connection to db-{n}
    1: refused (os error {n})""",
        language="rust", type="Error", message="could not open cart 12", where="None", causes=("Error", "Error"),
        other=("open", "close"),
    ),
    Trace(
        name=".net, inner",
        text="""System.InvalidOperationException: order {n} failed
 ---> Npgsql.PostgresException (0x80004005): 42P01: relation "orders_{n}" does not exist
   at Npgsql.Internal.NpgsqlConnector.ReadMessage(Boolean async)
   at Shop.Store.<LoadAsync>d__{n}.MoveNext() in /src/Store.cs:line {n}
--- End of stack trace from previous location ---
   --- End of inner exception stack trace ---
   at Shop.Orders.<>c__DisplayClass{n}_0.<<Place>b__{n}>d.MoveNext() in /src/Orders.cs:line {n}
   at Microsoft.AspNetCore.Mvc.Invoke(Object state)""",
        language="dotnet", type="System.InvalidOperationException", message="order 12 failed", where="Shop.Orders.Place (src/Orders.cs)",
        causes=("Npgsql.PostgresException",), other=("<LoadAsync>", "<SaveAsync>"),
    ),
    Trace(
        name=".net, aggregate",
        text="""Unhandled exception. System.AggregateException: One or more errors occurred. (no) (late)
 ---> System.ArgumentException: no
   at Shop.A.Run(Int32 n) in C:\\src\\A.cs:line {n}
   --- End of inner exception stack trace ---
   at System.Threading.Tasks.Task.Wait()
   at Shop.Program.Main() in C:\\src\\Program.cs:line {n}
 ---> (Inner Exception #1) System.TimeoutException: late
   at Shop.B.Run() in C:\\src\\B.cs:line {n}<---""",
        language="dotnet", type="System.AggregateException", message="One or more errors occurred. (no) (late)",
        where="Shop.Program.Main (src/Program.cs)", causes=("System.TimeoutException", "System.ArgumentException"),
        other=("Shop.B.Run", "Shop.B.Stop"),
    ),
    Trace(
        name="go",
        text="""panic: runtime error: index out of range [{n}] with length 3 [recovered]
\tpanic: runtime error: index out of range [{n}] with length 3

goroutine {n} [running]:
testing.tRunner.func1.2({0x51, 0xc000{n}})
\t/opt/go/src/testing/testing.go:{n} +0x24e
panic({0x51, 0xc000{n}})
\t/opt/go/src/runtime/panic.go:{n} +0x212
example.com/shop/internal/cart.(*Cart).total.func{n}(0xc000{n}, {0x1, 0x2})
\t/src/shop/internal/cart/cart.go:{n} +0x1d
main.main()
\t/src/shop/main.go:9 +0x2f
created by net/http.(*Server).Serve in goroutine 1
\t/opt/go/src/net/http/server.go:{n} +0x5f""",
        language="go", type="panic", message="runtime error: index out of range [12] with length 3",
        where="example.com/shop/internal/cart.(*Cart).total.func (cart/cart.go)", other=("total", "count"),
    ),
    Trace(
        name="go, observed",
        text="""Observed a panic: "invalid memory address or nil pointer dereference" (runtime error: invalid memory address or nil pointer dereference)
goroutine {n} [running]:
k8s.io/apimachinery/pkg/util/runtime.logPanic(0x{n}, 0x{n})
/go/pkg/mod/k8s.io/apimachinery@v0.20.{n}/pkg/util/runtime/runtime.go:{n} +0x95
panic(0x{n}, 0x{n})
/usr/local/go/src/runtime/panic.go:{n} +0x1b9
example.com/keeper/pkg/kube.(*reader).Fetch(0xc000{n})
/src/keeper/pkg/kube/reader.go:{n} +0x120""",
        language="go", type="panic",
        message='"invalid memory address or nil pointer dereference" (runtime error: invalid memory address or nil pointer dereference)',
        where="example.com/keeper/pkg/kube.(*reader).Fetch (kube/reader.go)", other=("Fetch", "Watch"),
    ),
    Trace(
        name="go, fatal",
        text="""fatal error: concurrent map writes

goroutine {n} [running]:
main.(*cache).put(...)
\t/src/shop/cache.go:{n}
created by main.main
\t/src/shop/main.go:{n} +0x1d""",
        language="go", type="fatal error", message="concurrent map writes", where="main.(*cache).put (shop/cache.go)",
        other=("put", "drop"),
    ),
    Trace(
        name="go, zap",
        text="""could not charge card {n}
example.com/shop/pay.(*Client).Charge
\t/src/shop/pay/client.go:{n}
net/http.HandlerFunc.ServeHTTP
\t/opt/go/src/net/http/server.go:{n}""",
        language="go", type="error", message="could not charge card 12", where="example.com/shop/pay.(*Client).Charge (pay/client.go)",
        other=("Charge", "Refund"),
    ),
    Trace(
        name="go, gin",
        text="""[Recovery] 10:00:{n} panic recovered:
runtime error: integer divide by zero
/usr/local/go/src/runtime/panic.go:{n} (0x43)
\tpanicdivide: panic(divideError)
/src/shop/cart.go:{n} (0x51)
\t(*Cart).share: return total / n""",
        language="go", type="panic", message="runtime error: integer divide by zero", where="(*Cart).share (shop/cart.go)",
        other=("share", "split"),
    ),
    Trace(
        name="java, packages and suppressed",
        text="""Request {n} failed
com.example.OutOfStock: item {n} is gone
\tat com.example.Cart$$EnhancerBySpringCGLIB$$1a{n}.pay(<generated>) ~[app.jar!/:1.0.{n}]
\tat com.example.Cart.lambda$pay${n}(Cart.java:{n}) [app.jar:1.0.{n}]
\tat java.base/java.lang.Thread.run(Thread.java:{n}) [?:?]
\tSuppressed: java.io.IOException: not closed
\t\tat com.example.Pool.close(Pool.java:{n})
\t\t... 3 more
\tCaused by: java.net.SocketException: reset
\t\tat com.example.Pool.shut(Pool.java:{n})
Caused by: org.postgresql.util.PSQLException: ERROR: no table
  Position: {n}
\tat org.postgresql.Driver.run(Driver.java:{n})
\tat com.example.Store.load(Store.kt:{n})
\t... 12 common frames omitted""",
        language="java", type="com.example.OutOfStock", message="item 12 is gone",
        where="com.example.Cart$$EnhancerBySpringCGLIB.pay (com.example.Cart$$EnhancerBySpringCGLIB)",
        causes=("org.postgresql.util.PSQLException",), other=("Store.load", "Store.save"),
    ),
    Trace(
        name="java, of a module",
        text="""Exception in thread "pool-{n}-thread-{n}" java.lang.IllegalStateException: closed
\tat java.base/java.util.Queue.poll(Queue.java:{n})
\tat app//com.example.Worker${n}.run(Worker.java:{n})
\tat com.example.Worker$$Lambda$14/0x{n}.call(Unknown Source)""",
        language="java", type="java.lang.IllegalStateException", message="closed", where="com.example.Worker.run (com.example.Worker)",
        other=(".run(", ".go("),
    ),
    Trace(
        name="node, with a cause",
        text="""/app/src/pay.js:{n}
    throw new PaymentFailed('card {n}', { cause })
    ^

PaymentFailed: card {n}
    at Pay.charge [as run] (file:///app/src/pay.js:{n}:11)
    at async Promise.all (index 0)
    at async /app/src/server.js:{n}:3
    at process.processTicksAndRejections (node:internal/process/task_queues:{n}:5) {
  code: 'E_CARD',
  [cause]: TypeError [ERR_INVALID]: fetch failed
      at fetch (/app/node_modules/undici/index.js:{n}:1)
      at ask (/app/src/bank.js:{n}:2) {
    errno: -111
  }
}

Node.js v20.{n}.0""",
        language="node", type="PaymentFailed", message="card 12", where="Pay.charge (src/pay.js)", causes=("TypeError",),
        other=("at ask", "at tell"),
    ),
    Trace(
        name="node, aggregate",
        text="""AggregateError: All promises were rejected
    at any (/app/src/race.js:{n}:1) {
  [errors]: [
    Error: first {n}
        at one (/app/dist/main.{id}.js:{n}:1)
  ]
}""",
        language="node", type="AggregateError", message="All promises were rejected", where="any (src/race.js)", causes=("Error",),
        other=("at any", "at all"),
    ),
    Trace(
        name="python, group",
        text="""  + Exception Group Traceback (most recent call last):
  |   File "/app/main.py", line {n}, in run
  |     async with asyncio.TaskGroup() as group:
  |   File "/usr/lib/python3.11/asyncio/taskgroups.py", line {n}, in __aexit__
  |     raise me from None
  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/main.py", line {n}, in load
    |     raise ValueError({n})
    | ValueError: {n}
    +---------------- 2 ----------------
    | TypeError: never raised
    +------------------------------------""",
        language="python", type="ExceptionGroup", message="unhandled errors in a TaskGroup (2 sub-exceptions)", where="run (app/main.py)",
        causes=("TypeError", "ValueError"), other=("in load", "in save"),
    ),
    Trace(
        name="python, of syntax, with a note",
        text="""Traceback (most recent call last):
  File "/app/main.py", line {n}, in load

    import rules
  File "/app/rules.py", line {n}
    x = (
        ^
SyntaxError: '(' was never closed
while reading rules {n}""",
        language="python", type="SyntaxError", message="'(' was never closed", where="<module> (app/rules.py)",
        other=("rules.py", "roles.py"),
    ),
    Trace(
        name="python, crash",
        text="""Fatal Python error: Segmentation fault

Current thread 0x{id} (most recent call first):
  File "/app/image.py", line {n} in shrink
  File "/app/main.py", line {n} in <module>""",
        language="python", type="Fatal Python error", message="Segmentation fault", where="shrink (app/image.py)",
        other=("in shrink", "in grow"),
    ),
    Trace(
        name="c++, terminate",
        text="terminate called after throwing an instance of 'std::out_of_range'\n  what():  index {n} of {n}",
        language="c++", type="std::out_of_range", message="index 12 of 12", where="None", other=("out_of_range", "bad_alloc"),
    ),
    Trace(
        name="c++, sanitizer",
        text="""=={n}==ERROR: AddressSanitizer: heap-use-after-free on address 0x{id} at pc 0x{id}
READ of size 4 at 0x{id} thread T0
    #0 0x{id} in __asan_memcpy (/app/shop+0x{id})
    #1 0x{id} in Cart::total(int) /src/cart.cc:{n}:3
    #2 0x{id} in main /src/main.cc:{n}:1

freed by thread T0 here:
    #0 0x{id} in free""",
        language="c++", type="heap-use-after-free",
        message="AddressSanitizer: on address 0x0123456789abcdef at pc 0x0123456789abcdef",
        where="Cart::total (src/cart.cc)", other=("total", "count"),
    ),
)  # fmt: skip
