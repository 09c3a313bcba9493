// Package rpc serves a node's RPC in place of the node (startRPC of CometBFT's node/node.go), at the same addresses, with
// the same handlers, limits and time limits.
//
// Half of the engine's time under load is what it takes to hand one transaction over by HTTP: net/http reads ahead in a
// routine of its own, sets five deadlines, and CometBFT has the same JSON scanned six times. Here a connection looks at
// its bytes before net/http does. A call of broadcast_tx_sync or broadcast_tx_async in the form that clients give it is
// answered right there; everything else is net/http's and CometBFT's, and gets the same bytes as ever.
//
// CheckTx knows no sender, so an application cannot tell who floods it with what it refuses. Here the address is known:
// those whose transactions are refused again and again wait in one line (suspects), whichever way they hand them over
// but gRPC, which says nothing of its clients. They get the same bytes too, later.
package rpc

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/libs/pubsub"
	"github.com/cometbft/cometbft/libs/service"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/rpc/core"
	grpc "github.com/cometbft/cometbft/rpc/grpc"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	cmttime "github.com/cometbft/cometbft/types/time"
	"github.com/rs/cors"
)

// Take has a node that has not been started serve RPC by this package. Its configuration must not be used elsewhere.
func Take(n *node.Node) *node.Node {
	config := *n.Config().RPC
	if config.ListenAddress == "" {
		return n
	}
	// The node itself would listen there. What peers are told of the address has been written before.
	n.Config().RPC.ListenAddress = ""
	logger := n.Logger
	n.BaseService = *service.NewBaseService(logger, "Node", &served{Node: n, config: config, suspects: newSuspects()})
	return n
}

// served is a node with its RPC.
type served struct {
	*node.Node
	config    cfg.RPCConfig
	listeners []net.Listener
	suspects  *suspects
}

// OnStart serves RPC, which CometBFT does not do before the genesis, and starts the node.
func (s *served) OnStart() error {
	genesis := s.GenesisDoc().GenesisTime
	if now := cmttime.Now(); genesis.After(now) {
		s.Logger.Info("Genesis time is in the future. Sleeping until then...", "genTime", genesis)
		time.Sleep(genesis.Sub(now))
	}
	env, err := s.ConfigureRPC()
	if err != nil {
		return err
	}
	env.Config = s.config
	if err := s.serve(env); err != nil {
		return err
	}
	return s.Node.OnStart()
}

// OnStop listens no more and stops the node.
func (s *served) OnStop() {
	for _, listener := range s.listeners {
		s.Logger.Info("Closing rpc listener", "listener", listener)
		if err := listener.Close(); err != nil {
			s.Logger.Error("Error closing listener", "listener", listener, "err", err)
		}
	}
	s.Node.OnStop()
}

// serve listens at every address.
func (s *served) serve(env *core.Environment) error {
	routes := env.GetRoutes()
	if s.config.Unsafe {
		env.AddUnsafeRoutes(routes)
	}
	s.suspects.watch(routes, env)
	for _, address := range strings.Split(s.config.ListenAddress, ",") {
		if address = strings.Trim(address, " "); address == "" {
			continue
		}
		limits := limitsOf(s.config, s.config.MaxOpenConnections)
		listener, err := server.Listen(address, limits.MaxOpenConnections)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, listener)
		logger := s.Logger.With("module", "rpc-server")
		var fast *broadcast
		if !strings.Contains(s.Config().LogLevel, "debug") {
			// A line of the log for every answer is asked for otherwise.
			fast = newBroadcast(env, limits, s.suspects, s.config.IsCorsEnabled(), logger)
		}
		go s.answer(listener, s.handler(routes, limits, logger), fast, limits, logger)
	}
	return s.serveGRPC(env)
}

// handler is CometBFT's, of JSON-RPC, of addresses in a browser, and of WebSockets.
func (s *served) handler(routes core.RoutesMap, limits *server.Config, logger log.Logger) http.Handler {
	mux := http.NewServeMux()
	sockets := logger.With("protocol", "websocket")
	gone := func(remote string) {
		err := s.EventBus().UnsubscribeAll(context.Background(), remote)
		if err != nil && err != pubsub.ErrSubscriptionNotFound {
			sockets.Error("Failed to unsubscribe addr from events", "addr", remote, "err", err)
		}
	}
	manager := server.NewWebsocketManager(routes, server.OnDisconnect(gone), server.ReadLimit(limits.MaxBodyBytes),
		server.WriteChanCapacity(s.config.WebSocketWriteBufferSize))
	manager.SetLogger(sockets)
	mux.HandleFunc("/websocket", manager.WebsocketHandler)
	server.RegisterRPCFuncs(mux, routes, logger)
	calls := within(limits.WriteTimeout, mux)
	if !s.config.IsCorsEnabled() {
		return calls
	}
	return cors.New(cors.Options{
		AllowedOrigins: s.config.CORSAllowedOrigins,
		AllowedMethods: s.config.CORSAllowedMethods,
		AllowedHeaders: s.config.CORSAllowedHeaders,
	}).Handler(calls)
}

// within has nothing wait on for a request that could not be answered any more. WebSockets have a context of their own.
func within(limit time.Duration, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), limit)
		defer cancel()
		handler.ServeHTTP(w, r.WithContext(ctx))
	})
}

// answer serves until the listener is closed. What is encrypted cannot be looked at before.
func (s *served) answer(listener net.Listener, handler http.Handler, fast *broadcast, limits *server.Config, logger log.Logger) {
	if s.config.IsTLSEnabled() {
		if err := server.ServeTLS(listener, handler, s.config.CertFile(), s.config.KeyFile(), logger, limits); err != nil {
			s.Logger.Error("Error serving server with TLS", "err", err)
		}
		return
	}
	if fast == nil {
		if err := server.Serve(listener, handler, logger, limits); err != nil {
			s.Logger.Error("Error serving server", "err", err)
		}
		return
	}
	logger.Info("serve", "msg", log.NewLazySprintf("Starting RPC HTTP server on %s", listener.Addr()))
	err := serve(listener, handler, fast, limits, logger)
	logger.Info("RPC HTTP server stopped", "err", err)
	s.Logger.Error("Error serving server", "err", err)
}

// serve is server.Serve with connections that look at their bytes first.
func serve(listener net.Listener, handler http.Handler, fast *broadcast, limits *server.Config, logger log.Logger) error {
	s := &http.Server{
		Handler:           server.PreChecksHandler(server.RecoverAndLogHandler(handler, logger), limits),
		ReadTimeout:       limits.ReadTimeout,
		ReadHeaderTimeout: limits.ReadTimeout,
		WriteTimeout:      limits.WriteTimeout,
		MaxHeaderBytes:    limits.MaxHeaderBytes,
		ConnState: func(c net.Conn, state http.ConnState) {
			if ours, ok := c.(*conn); ok && state == http.StateIdle {
				ours.idle()
			}
		},
	}
	return s.Serve(looking{listener, fast})
}

// looking is a listener whose connections look at their bytes first.
type looking struct {
	net.Listener
	fast *broadcast
}

func (l looking) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return newConn(c, l.fast), nil
}

// serveGRPC serves CometBFT's two calls by gRPC, where that is asked for.
func (s *served) serveGRPC(env *core.Environment) error {
	if s.config.GRPCListenAddress == "" {
		return nil
	}
	listener, err := server.Listen(s.config.GRPCListenAddress, s.config.GRPCMaxOpenConnections)
	if err != nil {
		return err
	}
	s.listeners = append(s.listeners, listener)
	go func() {
		//nolint:staticcheck // There is no other in this line of releases.
		if err := grpc.StartGRPCServer(env, listener); err != nil {
			s.Logger.Error("Error starting gRPC server", "err", err)
		}
	}()
	return nil
}

// limitsOf are a server's, as startRPC has them.
func limitsOf(config cfg.RPCConfig, connections int) *server.Config {
	limits := server.DefaultConfig()
	limits.MaxRequestBatchSize = config.MaxRequestBatchSize
	limits.MaxBodyBytes = config.MaxBodyBytes
	limits.MaxHeaderBytes = config.MaxHeaderBytes
	limits.MaxOpenConnections = connections
	if limits.WriteTimeout <= config.TimeoutBroadcastTxCommit {
		limits.WriteTimeout = config.TimeoutBroadcastTxCommit + time.Second
	}
	return limits
}
