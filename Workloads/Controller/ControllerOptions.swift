// The controller's own options.

import Harness

/// What a `controller` run works with.
struct ControllerOptions: Sendable {
  var sites = 12
  var nodes = 10_000
  var pods = 300_000
  /// Pods that a burst adds at a site.
  var sparePods = 100
  /// Simulated minutes, when neither --duration nor --operations is given.
  var minutes = 20
  /// Simulated seconds in a second; 0 for as many as there is time for.
  var speed = 0

  init() {}

  private static let defaults = ControllerOptions()
  static let sitesOption = WorkloadOption.integer("sites", 1...256, default: defaults.sites, help: "sites")
  static let nodesOption = WorkloadOption.integer(
    "nodes", 1...1_000_000, default: defaults.nodes, help: "nodes over all sites")
  static let podsOption = WorkloadOption.integer(
    "pods", 1...10_000_000, default: defaults.pods, help: "pods over all sites")
  static let sparesOption = WorkloadOption.integer(
    "burst-pods", 1...10_000, default: defaults.sparePods, help: "pods that a burst adds at a site")
  static let minutesOption = WorkloadOption.integer(
    "minutes", 1...1_000_000, default: defaults.minutes, help: "simulated minutes, without --duration and --operations")
  static let speedOption = WorkloadOption.integer(
    "speed", 0...100_000, default: defaults.speed, help: "simulated seconds in a second, 0 for as many as can be")
  static let table: [any AnyWorkloadOption] = [
    sitesOption, nodesOption, podsOption, sparesOption, minutesOption, speedOption,
  ]

  /// The options as typed.
  ///
  /// - Throws: for a value out of bounds, or fewer nodes or pods than sites.
  init(_ values: OptionValues) throws(UsageError) {
    sites = try values.value(of: Self.sitesOption)
    nodes = try values.value(of: Self.nodesOption)
    pods = try values.value(of: Self.podsOption)
    sparePods = try values.value(of: Self.sparesOption)
    minutes = try values.value(of: Self.minutesOption)
    speed = try values.value(of: Self.speedOption)
    for (name, value) in [("nodes", nodes), ("pods", pods)] where value < sites {
      throw UsageError(option: "--\(name)", value: "\(value)", allowed: "at least one for each of \(sites) sites")
    }
  }

  /// The facts of a site at the start; nodes and pods are divided evenly.
  func model(_ site: Int) -> SiteModel {
    func share(_ all: Int) -> Int { all * (site + 1) / sites - all * site / sites }
    return SiteModel(site: site, nodes: share(nodes), pods: share(pods), sparePods: sparePods)
  }
}
