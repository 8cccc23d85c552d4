import ArcaKeyBroker
import ArcaKeyBrokerEtcd
import ArgumentParser
import Foundation
import Hummingbird
import HummingbirdTLS
import Logging
import NIOCore
import NIOPosix

/// `arca-kbs serve`: serves the protocol over TLS until it is told to stop.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve", abstract: "Serve the key broker protocol over TLS.")

  private static let refreshInterval = Duration.seconds(600)

  @OptionGroup var option: FolderOption

  func run() async throws {
    // Tasks run on the threads that bytes arrive at, so that no step of a request wakes another
    // thread; with a compiler that does not let them, the broker is slower.
    _ = NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor()
    LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
    let logger = Logger(label: "arca-kbs")
    let configuration = try option.readConfiguration()
    let store = try await option.store()
    let broker = try option.broker(over: store) { error in
      logger.error("collateral", metadata: ["why": "\(error.detail)"])
    }
    let folder = option.folder
    _ = try await broker.checkPolicy()
    if configuration.dangerouslyAcceptSimulatedEvidence {
      logger.warning("SIMULATED evidence is accepted; secrets are not protected by hardware")
    }
    let server = BrokerServer(
      broker: broker, folder: folder, administrators: try folder.readAdministrators(),
      bodyBytesMax: configuration.bodyBytesMax,
      acceptsSimulation: configuration.dangerouslyAcceptSimulatedEvidence, logger: logger)
    var application = Application(
      router: server.router(),
      server: try .tls(
        .http1(
          configuration: .init(
            additionalChannelHandlers: [ConnectionFaults(broker.metrics, logger)])),
        tlsConfiguration: try tlsConfiguration(folder)),
      configuration: .init(
        address: .hostname(configuration.host, port: configuration.port),
        serverName: "arca-kbs"),
      onServerRunning: { channel in
        logger.info(
          "serving", metadata: ["address": "\(channel.localAddress.map { "\($0)" } ?? "none")"])
      }, logger: logger)
    application.logger.logLevel = .warning
    let serving = application
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        while true {
          try await Task.sleep(for: Self.refreshInterval)
          await broker.refreshEndorsements()
        }
      }
      if let shared = store as? EtcdStore {
        let name = "\(configuration.host):\(configuration.port)-\(UUID().uuidString)"
        let replica = try await shared.announce(name)
        group.addTask { try await Self.keepAnnounced(name, replica, in: shared, logger) }
      }
      group.addTask { try await serving.runService() }
      // Whichever ends first ends the broker; only serving ends without an error.
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private static func keepAnnounced(
    _ name: String, _ first: EtcdReplica, in store: EtcdStore, _ logger: Logger
  ) async throws {
    var replica = first
    while !Task.isCancelled {
      do {
        try await Task.sleep(for: .seconds(EtcdReplica.seconds / 3))
        if try await !store.renew(replica) { replica = try await store.announce(name) }
      } catch is CancellationError {
        break
      } catch let error as KeyBrokerError where error.code != .restoring {
        logger.error("announcing", metadata: ["why": "\(error.detail)"])
      }
    }
    // In a task of its own, since this one is cancelled.
    let last = replica
    try await Task { try await store.withdraw(last) }.value
  }

  private func tlsConfiguration(_ folder: BrokerFolder) throws -> TLSConfiguration {
    let chain = try NIOSSLCertificate.fromPEMFile(folder.certificate)
    let pem = try PrivateFile.read(folder.certificateKey)
    var configuration = TLSConfiguration.makeServerConfiguration(
      certificateChain: chain.map { .certificate($0) },
      privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(pem), format: .pem)))
    configuration.minimumTLSVersion = .tlsv12
    configuration.applicationProtocols = ["http/1.1"]
    return configuration
  }
}
