#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "altmin/core/denormals.hpp"
#include "altmin/kernels/sign_matrix.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/network/samples.hpp"

namespace altmin {

namespace detail {

/// A BinaryDense, and the normalizations behind it, of packed signs.
template <class Scalar>
class PackedMap {
 public:
  PackedMap(const Worker<Scalar>& worker, const BinaryDense::Layer<Scalar>& map)
      : signs_{map.parameters()[0].value()}, bias_{Vector<Scalar>::Zero(signs_.outputs())} {
    Matrix<Scalar> v(signs_.outputs(), signs_.inputs());
    map.write_matrix(worker, v);
    scale_ = v.col(0).cwiseAbs();
    if (map.config().bias) bias_ = map.parameters()[1].value();
  }

  void add(const BatchNorm::Layer<Scalar>& normalization) { normalizations_.push_back(normalization); }

  const SignMatrix& signs() const { return signs_; }
  const Vector<Scalar>& scale() const { return scale_; }
  const Vector<Scalar>& bias() const { return bias_; }
  const std::vector<BatchNorm::Layer<Scalar>>& normalizations() const { return normalizations_; }

  /// The sum of the inputs, each times the sign of its weight, where some differ in sign.
  Scalar sum(Index differences) const { return static_cast<Scalar>(signs_.inputs() - 2 * differences); }

  /// From sums to outputs (outputs x samples), in place. A sum times its scale is exact (see BinaryDense).
  void finish(const Worker<Scalar>& worker, View<Scalar> values) const {
    for (Index t = 0; t < values.cols(); ++t) values.col(t) = values.col(t).cwiseProduct(scale_) + bias_;
    for (const auto& normalization : normalizations_) normalization.predict(worker, values, values);
  }

  /// y, outputs x samples; `in` has the words of each sample's inputs, one sample after another.
  void forward(const Worker<Scalar>& worker, const SignWord* in, View<Scalar> y) const {
    SignWord counts[word_bits];
    for (Index t = 0; t < signs_.tiles(); ++t) {
      const Index first = t * word_bits;
      const Index rows = std::min(word_bits, y.rows() - first);
      for (Index s = 0; s < y.cols(); ++s) {
        signs_.count_differences(t, in + s * words(signs_.inputs()), counts);
        for (Index o = 0; o < rows; ++o) y(first + o, s) = sum(static_cast<Index>(counts[o]));
      }
    }
    finish(worker, y);
  }

 private:
  SignMatrix signs_;
  Vector<Scalar> scale_;
  Vector<Scalar> bias_;
  std::vector<BatchNorm::Layer<Scalar>> normalizations_;
};

/// The signs of such a map's outputs: +1 where fewer inputs than a bound differ in sign from the weights or, in turned
/// outputs, where no fewer do.
class PackedSigns {
 public:
  /// Asks the map for the signs of all sums that there can be. It rounds monotonically: from the largest sum to the
  /// smallest, a sign turns once at most.
  template <class Scalar>
  PackedSigns(const Worker<Scalar>& worker, const PackedMap<Scalar>& map)
      : weights_{map.signs()}, bounds_(static_cast<std::size_t>(weights_.tiles() * word_bits)) {
    Matrix<Scalar> values(weights_.outputs(), weights_.inputs() + 1);
    for (Index d = 0; d < values.cols(); ++d) values.col(d).setConstant(map.sum(d));
    map.finish(worker, values);
    const auto positive = (values.array() > Scalar(0)).eval();
    for (Index o = 0; o < values.rows(); ++o) {
      bounds_[static_cast<std::size_t>(o)] = static_cast<SignWord>((positive.row(o) == positive(o, 0)).count());
    }
    const auto turned = (!positive.col(0)).template cast<Scalar>().eval();
    turned_.resize(static_cast<std::size_t>(weights_.tiles()));
    pack_signs(turned.data(), turned.size(), turned_.data());
  }

  Index inputs() const { return weights_.inputs(); }
  Index outputs() const { return weights_.outputs(); }

  const SignMatrix& weights() const { return weights_; }
  SignWord bound(Index output) const { return bounds_[static_cast<std::size_t>(output)]; }
  /// Of 64 outputs, a bit each.
  SignWord turned(Index tile) const { return turned_[static_cast<std::size_t>(tile)]; }

  /// For some samples, the words of each one's inputs, or outputs, one after another.
  void forward(const SignWord* in, SignWord* out, Index samples) const {
    SignWord counts[word_bits];
    for (Index t = 0; t < weights_.tiles(); ++t) {
      const SignWord* const bounds = bounds_.data() + t * word_bits;
      for (Index s = 0; s < samples; ++s) {
        weights_.count_differences(t, in + s * words(inputs()), counts);
        SignWord fewer = 0;
        for (Index o = 0; o < word_bits; ++o) fewer |= SignWord{counts[o] < bounds[o]} << o;
        out[s * weights_.tiles() + t] = fewer ^ turned_[static_cast<std::size_t>(t)];
      }
    }
  }

 private:
  SignMatrix weights_;
  std::vector<SignWord> bounds_;  // 0 beyond the last output
  std::vector<SignWord> turned_;
};

}  // namespace detail

/// A network of signs in bits, for inference: predicts exactly, bit for bit, what its network does, several times as
/// fast and in a thirtieth of the memory.
///
///     Layers<float> layers{784};
///     layers.add(Sign{}).add(BinaryDense{500}).add(BatchNorm{}).add(Sign{}).add(BinaryDense{10});
///     Network<float> net{layers, SoftmaxCrossEntropy{}, AmAdam{}};
///     // ... training ...
///     const auto packed = pack(net);  // packed.predict(x) == net.predict(x)
///
/// The first layer is a Sign, each map a BinaryDense that a Sign stands in front of. Batch normalizations may stand
/// behind a map; Dropout and Identity, which do nothing here, anywhere.
template <class Scalar_>
class PackedNetwork {
 public:
  using Scalar = Scalar_;

  /// Throws OptionError where a layer is another, or stands elsewhere. `threads` as in Network::set_threads().
  explicit PackedNetwork(const LayerStack<Scalar>& layers, int threads = 0)
      : inputs_{layers.input().size()}, workers_{threads} {
    const FlushDenormals flush;
    const Worker<Scalar> worker = workers_.worker();
    bool signs = false;  // whether the inputs of the next layer are signs
    for (Index i = 0; i < layers.size(); ++i) {
      const auto& layer = layers[i];
      const auto* const map = layer.template as<BinaryDense>();
      const auto* const normalization = layer.template as<BatchNorm>();
      const auto refuse = [&](const char* expected) {
        throw OptionError("pack: layer " + detail::text(i) + " (" + layer.name() + "): expected " + expected);
      };
      if (layer.template as<Dropout>() != nullptr || layer.template as<Identity>() != nullptr) continue;
      if (layer.template as<Sign>() != nullptr) {
        if (last_) hidden_.emplace_back(worker, *last_);
        last_.reset();
        signs = true;
      } else if (map != nullptr) {
        if (!signs) refuse("a Sign in front of it");
        last_.emplace(worker, *map);
        signs = false;
      } else if (normalization != nullptr) {
        if (!last_) refuse("a BinaryDense in front of it");
        last_->add(*normalization);
      } else {
        refuse("BinaryDense, BatchNorm, Sign, Dropout or Identity");
      }
    }
    if (!last_) throw OptionError("pack: expected a BinaryDense behind the last Sign, got none");
  }

  Index inputs() const { return inputs_; }
  /// The maps, for exporters: all but the last end in signs.
  const std::vector<detail::PackedSigns>& hidden() const { return hidden_; }
  const detail::PackedMap<Scalar>& last() const { return *last_; }

  /// The network's output, outputs x samples. May be called from several threads at once. Throws what
  /// Network::predict() does.
  Matrix<Scalar> predict(const ConstRef<Scalar>& x) const {
    detail::require_samples<Scalar>(x, inputs_);
    Matrix<Scalar> result(last_->signs().outputs(), x.cols());
    const FlushDenormals flush;
    workers_.lend([&](const Worker<Scalar>& worker) {
      constexpr Index chunk = 128;
      worker.parallel_for((x.cols() + chunk - 1) / chunk, [&](Index i, const Worker<Scalar>& own) {
        const Index first = i * chunk;
        const Index count = std::min(chunk, x.cols() - first);
        predict_into(own, ConstView<Scalar>{x}.slice(first, count), View<Scalar>{result}.slice(first, count));
      });
    });
    return result;
  }

 private:
  void predict_into(const Worker<Scalar>& worker, ConstView<Scalar> x, View<Scalar> y) const {
    using detail::SignWord;
    const auto memory = [&](Index bits) {
      return std::vector<SignWord>(static_cast<std::size_t>(detail::words(bits) * x.cols()));
    };
    std::vector<SignWord> in = memory(inputs_);
    for (Index s = 0; s < x.cols(); ++s) {
      detail::pack_signs(x.col(s).data(), inputs_, in.data() + s * detail::words(inputs_));
    }
    for (const auto& map : hidden_) {
      std::vector<SignWord> out = memory(map.outputs());
      map.forward(in.data(), out.data(), x.cols());
      in.swap(out);
    }
    last_->forward(worker, in.data(), y);
  }

  Index inputs_;
  std::vector<detail::PackedSigns> hidden_;
  std::optional<detail::PackedMap<Scalar>> last_;
  mutable Workers<Scalar> workers_;
};

/// The network in bits. Throws OptionError unless its layers are such as PackedNetwork requires.
template <class Net>
PackedNetwork<typename Net::Scalar> pack(const Net& net) {
  return PackedNetwork<typename Net::Scalar>{net.layers(), net.threads()};
}

}  // namespace altmin
