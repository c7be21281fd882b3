#pragma once

#include <Eigen/Cholesky>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

#include "altmin/core/error.hpp"
#include "altmin/core/function_ref.hpp"
#include "altmin/core/types.hpp"
#include "altmin/data/dataset.hpp"
#include "altmin/kernels/product.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/network/network.hpp"
#include "altmin/training/metrics.hpp"

namespace altmin {

/// Options of fit_admm().
struct AdmmOptions {
  int sweeps = 60;      ///< over all variables; 0 or more
  int warm_up = 20;     ///< sweeps before the multiplier moves; 0 or more
  double beta = 1;      ///< weight of |z - W a|^2; above 0
  double gamma = 10;    ///< weight of |a - s(z)|^2; above 0
  double ridge = 1e-4;  ///< share of the mean of the diagonal that is added to normal equations; above 0
  int loss_steps = 20;  ///< gradient steps on the last layer's variables, a sweep; 1 or more

  /// Throws OptionError.
  void validate() const {
    detail::require_option(sweeps >= 0, "AdmmOptions: sweeps", "must be 0 or more", sweeps);
    detail::require_option(warm_up >= 0, "AdmmOptions: warm_up", "must be 0 or more", warm_up);
    detail::require_option(beta > 0, "AdmmOptions: beta", "must be above 0", beta);
    detail::require_option(gamma > 0, "AdmmOptions: gamma", "must be above 0", gamma);
    detail::require_option(ridge > 0, "AdmmOptions: ridge", "must be above 0", ridge);
    detail::require_option(loss_steps >= 1, "AdmmOptions: loss_steps", "must be 1 or more", loss_steps);
  }
};

/// What fit_admm() returns.
struct AdmmReport {
  int sweeps = 0;
  double objective = 0;  ///< of the last sweep, the mean over the samples
  double seconds = 0;    ///< what is called after each sweep left out
  Index bytes = 0;       ///< of the variables, which grow with the number of samples
};

namespace detail {

/// One map with the nonlinearity above it, for all samples.
template <class Scalar>
struct AdmmLayer {
  Index number = 0;  // of its Dense in the network
  bool bias = false;
  bool nonlinear = false;  // false: the last one
  Scalar slope = 1;        // of the nonlinearity below 0: of Relu 0, of Identity 1
  Matrix<Scalar> weight;   // outputs x (inputs + 1), the bias last, or without it
  Matrix<Scalar> z;        // its output, outputs x samples
  Matrix<Scalar> product;  // W a
  Matrix<Scalar> a;        // s(z), the last row 1 where the map above has a bias
};

/// The variables of a network in ADMM.
template <class Scalar>
class Admm {
 public:
  Admm(Network<Scalar>& net, const Dataset<Scalar>& data, const AdmmOptions& options);

  /// One sweep. Returns the mean objective.
  double sweep(bool move_multiplier);

  void write_weights(Network<Scalar>& net) const;

  Index bytes() const;

 private:
  using Level = AdmmLayer<Scalar>;

  Index last() const { return static_cast<Index>(levels_.size()) - 1; }
  const Matrix<Scalar>& below(Index l) const { return l == 0 ? input_ : levels_[std::size_t(l - 1)].a; }

  /// What map l is to give: its output z, the last map's with its multiplier, z + multiplier / (2 beta).
  const Matrix<Scalar>& target(Index l) const { return l < last() ? levels_[std::size_t(l)].z : last_target_; }

  void solve_weight(const Worker<Scalar>& worker, Index l);
  void solve_activation(const Worker<Scalar>& worker, Index l);
  void solve_output(const Worker<Scalar>& worker, Level& level) const;
  double solve_prediction(const Worker<Scalar>& worker, bool move_multiplier);

  /// s(z) of each element.
  static Scalar activation(const Level& level, Scalar z) { return z > Scalar(0) ? z : level.slope * z; }

  AdmmOptions options_;
  AnyLoss<Scalar> loss_;
  Target<Scalar> target_;
  Workers<Scalar> workers_;
  Matrix<Scalar> input_;
  Matrix<double> input_inverse_;  // of the normal matrix of the input, which stays
  std::vector<Level> levels_;
  Matrix<Scalar> multiplier_;   // of the last map's output
  Matrix<Scalar> last_target_;  // during a sweep
  Matrix<Scalar> gradient_;     // working memory, as large as the prediction
};

/// The inverse of a normal matrix A A' that gets a ridge.
template <class Scalar>
Matrix<double> inverse_normal(const Worker<Scalar>& worker, const Matrix<Scalar>& a, double ridge) {
  Matrix<Scalar> normal(a.rows(), a.rows());
  multiply_symmetric<Scalar>(worker, a, transposed(a), normal);
  Matrix<double> sum = normal.template cast<double>();
  sum.diagonal().array() += ridge * sum.trace() / static_cast<double>(sum.rows());
  return Eigen::LLT<Matrix<double>>{sum}.solve(Matrix<double>::Identity(sum.rows(), sum.rows()));
}

template <class Scalar>
Admm<Scalar>::Admm(Network<Scalar>& net, const Dataset<Scalar>& data, const AdmmOptions& options)
    : options_{options}, loss_{net.loss()}, target_{target_of(data)}, workers_{net.threads()} {
  const auto& layers = net.layers();
  for (Index i = 0; i < layers.size(); ++i) {
    const auto& layer = layers[i];
    if (const auto* dense = layer.template as<Dense>()) {
      if (!levels_.empty() && !levels_.back().nonlinear) levels_.back().nonlinear = true;  // the identity between them
      Level level;
      level.number = i;
      level.bias = dense->config().bias;
      const Matrix<Scalar>& weight = dense->parameters()[0].value();
      level.weight.resize(weight.rows(), weight.cols() + (level.bias ? 1 : 0));
      level.weight.leftCols(weight.cols()) = weight;
      if (level.bias) level.weight.col(weight.cols()) = dense->parameters()[1].value();
      levels_.push_back(std::move(level));
      continue;
    }
    const auto* leaky = layer.template as<LeakyRelu>();
    const bool known = leaky != nullptr || layer.template as<Relu>() != nullptr;
    if (!known || levels_.empty() || levels_.back().nonlinear) {
      throw OptionError("fit_admm: layer " + text(i) + " (" + layer.name() +
                        "): expected Dense layers, with Relu or LeakyRelu between them");
    }
    levels_.back().nonlinear = true;
    levels_.back().slope = leaky == nullptr ? Scalar(0) : static_cast<Scalar>(leaky->config().slope);
  }
  if (levels_.empty() || levels_.back().nonlinear) {
    throw OptionError("fit_admm: expected a network whose last layer is Dense");
  }

  const auto with_ones = [](Matrix<Scalar>& a, Index rows, Index samples, bool bias) {
    a.resize(rows + (bias ? 1 : 0), samples);
    if (bias) a.row(rows).setOnes();
  };
  with_ones(input_, data.features(), data.size(), levels_.front().bias);
  input_.topRows(data.features()) = data.x();
  workers_.lend([&](const Worker<Scalar>& worker) {
    input_inverse_ = inverse_normal<Scalar>(worker, input_, options_.ridge);
    for (Index l = 0; l <= last(); ++l) {  // begins with a forward pass
      Level& level = levels_[std::size_t(l)];
      level.product.resize(level.weight.rows(), data.size());
      multiply<Scalar>(worker, level.weight, below(l), level.product);
      level.z = level.product;
      if (l == last()) break;
      with_ones(level.a, level.z.rows(), data.size(), levels_[std::size_t(l + 1)].bias);
      level.a.topRows(level.z.rows()) = level.z.unaryExpr([&](Scalar z) { return activation(level, z); });
    }
  });
  multiplier_.setZero(levels_.back().z.rows(), data.size());
  gradient_.resize(multiplier_.rows(), multiplier_.cols());
}

/// W = z a^+.
template <class Scalar>
void Admm<Scalar>::solve_weight(const Worker<Scalar>& worker, Index l) {
  Level& level = levels_[std::size_t(l)];
  const Matrix<Scalar>& a = below(l);
  Matrix<Scalar> moments(level.z.rows(), a.rows());
  multiply<Scalar>(worker, target(l), transposed(a), moments);
  const Matrix<double> inverse = l == 0 ? input_inverse_ : inverse_normal<Scalar>(worker, a, options_.ridge);
  level.weight = (moments.template cast<double>() * inverse).template cast<Scalar>();
  multiply<Scalar>(worker, level.weight, a, level.product);
}

/// a = (beta W'W + gamma I)^-1 (beta W'z + gamma s(z)), W and z being those of the map above.
template <class Scalar>
void Admm<Scalar>::solve_activation(const Worker<Scalar>& worker, Index l) {
  Level& level = levels_[std::size_t(l)];
  const Level& above = levels_[std::size_t(l + 1)];
  const Index units = level.z.rows();
  const Matrix<double> weight = above.weight.leftCols(units).template cast<double>();
  Matrix<double> normal = options_.beta * weight.transpose() * weight;
  normal.diagonal().array() += options_.gamma;
  const Eigen::LLT<Matrix<double>> factor{normal};
  const Matrix<Scalar> of_z = factor.solve(options_.beta * weight.transpose()).template cast<Scalar>();
  const Matrix<Scalar> of_s =
      factor.solve(options_.gamma * Matrix<double>::Identity(units, units)).template cast<Scalar>();
  Matrix<Scalar> wanted = target(l + 1);
  if (above.bias) wanted.colwise() -= above.weight.col(units);
  const Matrix<Scalar> s = level.z.unaryExpr([&](Scalar z) { return activation(level, z); });
  const View<Scalar> a{level.a.data(), units, level.a.cols(), level.a.rows()};
  multiply<Scalar>(worker, of_z, wanted, a);
  multiply<Scalar>(worker, of_s, s, a, Scalar(1), Addend<Scalar>{a});
}

/// z = argmin gamma (a - s(z))^2 + beta (z - W a_below)^2, the better one of the two sides of 0.
template <class Scalar>
void Admm<Scalar>::solve_output(const Worker<Scalar>& worker, Level& level) const {
  const auto beta = static_cast<Scalar>(options_.beta);
  const auto gamma = static_cast<Scalar>(options_.gamma);
  const Scalar slope = level.slope;
  worker.parallel_ranges(level.z.cols(), 8 * level.z.rows(), [&](Index first, Index count) {
    for (Index t = first; t < first + count; ++t) {
      for (Index i = 0; i < level.z.rows(); ++i) {
        const Scalar a = level.a(i, t);
        const Scalar p = level.product(i, t);
        const auto cost = [&](Scalar z, Scalar s) { return gamma * (a - s) * (a - s) + beta * (z - p) * (z - p); };
        const Scalar up = std::max(Scalar(0), (gamma * a + beta * p) / (gamma + beta));
        const Scalar down = std::min(Scalar(0), (gamma * slope * a + beta * p) / (gamma * slope * slope + beta));
        level.z(i, t) = cost(up, up) <= cost(down, slope * down) ? up : down;
      }
    }
  });
}

/// z = argmin loss(z) + <multiplier, z> + beta |z - W a|^2, by gradient steps for a loss whose second derivative is 2
/// at most. Returns the sum of the losses.
template <class Scalar>
double Admm<Scalar>::solve_prediction(const Worker<Scalar>& worker, bool move_multiplier) {
  Level& level = levels_.back();
  const auto beta = static_cast<Scalar>(options_.beta);
  const Scalar rate = 1 / (2 + 2 * beta);
  constexpr Index slice = 1024;
  const Index samples = level.z.cols();
  std::vector<double> losses(static_cast<std::size_t>((samples + slice - 1) / slice));
  worker.parallel_for(static_cast<Index>(losses.size()), [&](Index k, const Worker<Scalar>&) {
    const Index first = k * slice;
    const Index count = std::min(slice, samples - first);
    View<Scalar> z = View<Scalar>{level.z}.slice(first, count);
    const auto product = level.product.middleCols(first, count);
    auto multiplier = multiplier_.middleCols(first, count);
    View<Scalar> gradient = View<Scalar>{gradient_}.slice(first, count);
    for (int step = 0; step < options_.loss_steps; ++step) {
      losses[std::size_t(k)] = loss_->evaluate(z, target_.slice(first, count), gradient);
      z -= rate * (gradient + multiplier + 2 * beta * (z - product));
    }
    if (move_multiplier) multiplier += 2 * beta * (z - product);
  });
  double sum = 0;
  for (const double loss : losses) sum += loss;
  return sum;
}

template <class Scalar>
double Admm<Scalar>::sweep(bool move_multiplier) {
  double sum = 0;
  last_target_ = levels_.back().z + multiplier_ * static_cast<Scalar>(0.5 / options_.beta);
  workers_.lend([&](const Worker<Scalar>& worker) {
    for (Index l = 0; l < last(); ++l) {
      Level& level = levels_[std::size_t(l)];
      solve_weight(worker, l);
      solve_activation(worker, l);
      solve_output(worker, level);
    }
    solve_weight(worker, last());
    sum = solve_prediction(worker, move_multiplier);
  });
  for (const Level& level : levels_) {
    sum += options_.beta * static_cast<double>((level.z - level.product).squaredNorm());
    if (&level == &levels_.back()) break;
    const auto s = level.z.unaryExpr([&](Scalar z) { return activation(level, z); });
    sum += options_.gamma * static_cast<double>((level.a.topRows(level.z.rows()) - s).squaredNorm());
  }
  return sum / static_cast<double>(input_.cols());
}

template <class Scalar>
void Admm<Scalar>::write_weights(Network<Scalar>& net) const {
  for (const Level& level : levels_) {
    auto parameters = net.layers()[level.number].parameters();
    const Index inputs = parameters[0].value().cols();
    parameters[0].set(level.weight.leftCols(inputs));
    if (level.bias) parameters[1].set(level.weight.col(inputs));
  }
}

template <class Scalar>
Index Admm<Scalar>::bytes() const {
  Index numbers = input_.size() + 2 * multiplier_.size() + gradient_.size() + 2 * input_inverse_.size();
  for (const Level& level : levels_) {
    numbers += level.weight.size() + level.z.size() + level.product.size() + level.a.size();
  }
  return numbers * static_cast<Index>(sizeof(Scalar));
}

}  // namespace detail

/// Trains a network of Dense layers, with Relu or LeakyRelu between them, without gradients of its weights, by the
/// alternating direction method of multipliers (Taylor et al. 2016): an offline relative of the library's algorithms,
/// to compare with. With an output z_l and an activation a_l of every layer and *every sample* as variables, it
/// minimises
///
///   loss(z_L) + <multiplier, z_L - W_L a_{L-1}> + beta sum_l |z_l - W_l a_{l-1}|^2 + gamma sum_l |a_l - s(z_l)|^2
///
/// by turns, each in closed form (the last layer's outputs by a few gradient steps), and then moves the multiplier of
/// the last layer, which the first `warm_up` sweeps leave at 0. (The paper's term has no W_L in it: where that comes to
/// rest, the weights need not be a minimum.) It begins with the network's weights and their forward pass, and calls
/// after_sweep(sweep) with those of every sweep in the network.
///
/// It does not stream: the variables of all samples are kept from one sweep to the next, and a weight is the least
/// squares solution for all of them. Throws OptionError for options out of range and for a network of other layers,
/// ShapeError or DataError for data that do not fit.
template <class Scalar>
AdmmReport fit_admm(
    Network<Scalar>& net, const Dataset<Scalar>& data, const AdmmOptions& options = {},
    FunctionRef<void(int)> after_sweep = [](int) {}) {
  options.validate();
  detail::require_fits(net, data);
  if (data.size() == 0) throw DataError("fit_admm: expected at least 1 sample, got an empty data set");
  using Clock = std::chrono::steady_clock;
  AdmmReport report;
  auto start = Clock::now();
  detail::Admm<Scalar> admm{net, data, options};
  report.bytes = admm.bytes();
  for (int sweep = 1; sweep <= options.sweeps; ++sweep) {
    report.objective = admm.sweep(sweep > options.warm_up);
    admm.write_weights(net);
    report.sweeps = sweep;
    report.seconds += std::chrono::duration<double>(Clock::now() - start).count();
    after_sweep(sweep);
    start = Clock::now();
  }
  return report;
}

}  // namespace altmin
