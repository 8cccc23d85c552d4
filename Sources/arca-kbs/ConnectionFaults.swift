import ArcaKeyBroker
import Logging
import NIOCore
import NIOSSL

/// Names what ends a connection before there is a request that could be refused: a handshake that
/// fails, or bytes that somebody on the way changed, dropped, repeated or put in another order.
///
/// Nobody knows who that was, so it is counted and in the broker's own log, not in the audit log.
final class ConnectionFaults: ChannelInboundHandler, RemovableChannelHandler, Sendable {
  typealias InboundIn = Never

  private let metrics: BrokerMetrics
  private let logger: Logger

  init(_ metrics: BrokerMetrics, _ logger: Logger) {
    self.metrics = metrics
    self.logger = logger
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // Many clients leave without saying so to TLS.
    if case .uncleanShutdown? = error as? NIOSSLError {
      metrics.count("connection", "unclean-shutdown")
    } else {
      metrics.count("connection", "failed")
      logger.notice(
        "connection failed",
        metadata: [
          "peer": "\(context.remoteAddress.map { "\($0)" } ?? "unknown")", "why": "\(error)",
        ])
    }
    context.fireErrorCaught(error)
  }
}
