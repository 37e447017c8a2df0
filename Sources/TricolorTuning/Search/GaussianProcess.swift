// Regression that knows how sure it is: a Gaussian process with a Matérn kernel of smoothness 5/2, one length for each coordinate, and noise.
//
// Lengths and noise are those of the largest posterior density among a coarse set of values, found one at a time: with ten to sixty
// measurements a finer search fits the noise. The prior keeps a length that the data says nothing about near the size of the cube. The
// scale of the function follows in closed form. Repeated measurements at one place are averaged and weigh as many.
// Source: Rasmussen and Williams, "Gaussian Processes for Machine Learning", 2006, chapters 2, 4 and 5.

import Glibc

/// A function of places in the unit cube, learnt from noisy values.
struct GaussianProcess {
  /// Value and standard deviation of the function itself, without noise.
  struct Prediction {
    let mean: Double
    let deviation: Double
  }

  private struct Shape: Equatable {
    var lengths: [Double]
    /// Variance of the noise as a part of the function's.
    var noise: Double
  }

  private static let lengths: [Double] = [0.15, 0.4, 1, 2.5, 6]
  private static let noises: [Double] = [1e-3, 0.01, 0.03, 0.1, 0.3, 1]
  /// Rounds over all lengths and the noise.
  private static let rounds = 2
  /// Lengths and noise are chosen by no more places than this, spread over all: the time grows with the cube.
  private static let mostForShape = 48

  private let places: [[Double]]
  private let shape: Shape
  private let factor: Cholesky
  private let weights: [Double]
  private let level: Double
  private let scale: Double
  /// Standard deviation of one measurement around the function.
  let noiseDeviation: Double

  /// Learns from at least one measurement.
  init(_ inputs: [[Double]], _ outputs: [Double]) {
    precondition(!inputs.isEmpty && inputs.count == outputs.count)
    var order: [[Double]] = []
    var groups: [[Double]: [Double]] = [:]
    for (input, output) in zip(inputs, outputs) {
      if groups[input] == nil { order.append(input) }
      groups[input, default: []].append(output)
    }
    let values = order.map { place in groups[place]!.reduce(0, +) / Double(groups[place]!.count) }
    let counts = order.map { Double(groups[$0]!.count) }
    let fit = GaussianProcess.bestFit(order, values, counts)
    places = order
    (shape, factor, weights, level, scale) = (fit.shape, fit.factor, fit.weights, fit.level, fit.scale)
    noiseDeviation = (fit.scale * fit.shape.noise).squareRoot()
  }

  func predict(_ place: [Double]) -> Prediction {
    let covariances = places.map { GaussianProcess.kernel($0, place, shape.lengths) }
    var mean = level
    for (covariance, weight) in zip(covariances, weights) { mean += covariance * weight }
    let half = factor.solveLower(covariances)
    let explained = half.reduce(0) { $0 + $1 * $1 }
    return Prediction(mean: mean, deviation: (scale * max(0, 1 - explained)).squareRoot())
  }

  // MARK: Fitting

  private struct Fit {
    let shape: Shape
    let factor: Cholesky
    let weights: [Double]
    let level: Double
    let scale: Double
    let score: Double
  }

  private static func bestFit(_ places: [[Double]], _ values: [Double], _ counts: [Double]) -> Fit {
    let step = (places.count + mostForShape - 1) / mostForShape
    let some = Array(stride(from: 0, to: places.count, by: step))
    let shape = bestShape(some.map { places[$0] }, some.map { values[$0] }, some.map { counts[$0] })
    return fit(Distances(places), values, counts, shape)
  }

  private static func bestShape(_ places: [[Double]], _ values: [Double], _ counts: [Double]) -> Shape {
    let axes = places[0].count
    let distances = Distances(places)
    var best = fit(distances, values, counts, Shape(lengths: Array(repeating: 1, count: axes), noise: 0.03))
    func consider(_ shape: Shape) {
      let candidate = fit(distances, values, counts, shape)
      if candidate.score > best.score { best = candidate }
    }
    for _ in 0..<rounds {
      let before = best.shape
      for axis in 0..<axes where places.contains(where: { $0[axis] != places[0][axis] }) {
        for length in lengths where length != best.shape.lengths[axis] {
          var shape = best.shape
          shape.lengths[axis] = length
          consider(shape)
        }
      }
      for noise in noises where noise != best.shape.noise { consider(Shape(lengths: best.shape.lengths, noise: noise)) }
      if best.shape == before { break }
    }
    return best.shape
  }

  /// Squared distances between places along each axis, by rows of the lower half: they stay while lengths are tried.
  private struct Distances {
    let count: Int
    let axes: Int
    private let squares: [Double]

    init(_ places: [[Double]]) {
      count = places.count
      axes = places[0].count
      var squares: [Double] = []
      squares.reserveCapacity(count * (count + 1) / 2 * axes)
      for row in 0..<count {
        for column in 0...row {
          for axis in 0..<axes { squares.append(square(places[row][axis] - places[column][axis])) }
        }
      }
      self.squares = squares
    }

    /// The lower half of the matrix of covariances, the diagonal's noise included.
    func covariances(_ shape: Shape, _ counts: [Double]) -> [Double] {
      let scales = shape.lengths.map { 5 / square($0) }
      var matrix = [Double](repeating: 0, count: count * count)
      var next = 0
      for row in 0..<count {
        for column in 0...row {
          var sum = 0.0
          for axis in 0..<axes { sum += squares[next + axis] * scales[axis] }
          next += axes
          matrix[row * count + column] = matern(sum.squareRoot())
        }
        // The small part keeps the factor stable where two places nearly coincide.
        matrix[row * count + row] += shape.noise / counts[row] + 1e-8
      }
      return matrix
    }
  }

  private static func fit(_ distances: Distances, _ values: [Double], _ counts: [Double], _ shape: Shape) -> Fit {
    let count = distances.count
    let factor = Cholesky(distances.covariances(shape, counts), count)
    let ones = factor.solve([Double](repeating: 1, count: count))
    let level = zip(ones, values).reduce(0) { $0 + $1.0 * $1.1 } / ones.reduce(0, +)
    let rest = values.map { $0 - level }
    let weights = factor.solve(rest)
    // A function that seems constant still may vary by a thousandth.
    let scale = max(1e-6, zip(rest, weights).reduce(0) { $0 + $1.0 * $1.1 } / Double(count))
    var score = -0.5 * (Double(count) * log(scale) + factor.logDeterminant)
    for length in shape.lengths { score -= 0.5 * square((log(length) - log(0.8)) / 0.9) }
    score -= 0.5 * square((log(shape.noise) - log(0.03)) / 2)
    return Fit(shape: shape, factor: factor, weights: weights, level: level, scale: scale, score: score)
  }

  private static func square(_ value: Double) -> Double { value * value }

  private static func kernel(_ first: [Double], _ second: [Double], _ lengths: [Double]) -> Double {
    var sum = 0.0
    for axis in lengths.indices { sum += 5 * square((first[axis] - second[axis]) / lengths[axis]) }
    return matern(sum.squareRoot())
  }

  /// The kernel at √5 times a distance.
  private static func matern(_ distance: Double) -> Double {
    (1 + distance + distance * distance / 3) * exp(-distance)
  }
}

/// The lower triangular factor of a positive definite matrix.
struct Cholesky {
  private var factor: [Double]
  private let count: Int

  /// - Parameter matrix: by rows; only the lower half is read.
  init(_ matrix: [Double], _ count: Int) {
    self.count = count
    factor = matrix
    for row in 0..<count {
      for column in 0...row {
        let (own, other) = (row * count, column * count)
        var sum = factor[own + column]
        var k = 0
        // Not a range: this is the loop that all time goes into, and builds without optimisation step through ranges slowly.
        while k < column {
          sum -= factor[own + k] * factor[other + k]
          k += 1
        }
        // Rounding may take the last bit of a diagonal; a tiny one stands for it.
        factor[own + column] = row == column ? max(sum, 1e-12).squareRoot() : sum / factor[other + column]
      }
    }
  }

  var logDeterminant: Double { (0..<count).reduce(0) { $0 + 2 * log(factor[$1 * count + $1]) } }

  /// The solution with the factor.
  func solveLower(_ right: [Double]) -> [Double] {
    var result = right
    for row in 0..<count {
      for k in 0..<row { result[row] -= factor[row * count + k] * result[k] }
      result[row] /= factor[row * count + row]
    }
    return result
  }

  /// The solution with the matrix.
  func solve(_ right: [Double]) -> [Double] {
    var result = solveLower(right)
    for row in stride(from: count - 1, through: 0, by: -1) {
      for k in (row + 1)..<max(count, row + 1) { result[row] -= factor[k * count + row] * result[k] }
      result[row] /= factor[row * count + row]
    }
    return result
  }
}
