#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "altmin/core/file.hpp"
#include "altmin/deploy/c_layer.hpp"
#include "altmin/layers/layers.hpp"
#include "altmin/network/block.hpp"
#include "altmin/network/network.hpp"
#include "altmin/network/packed.hpp"
#include "altmin/version.hpp"

namespace altmin {

/// How export_c() writes a network.
template <class Scalar>
struct COptions {
  /// What every name in the source begins with: a C identifier.
  std::string prefix = "net";
  /// Writes a layer of your own (its input is `x`, its output `y`) and returns true; false for a layer that it does not
  /// know.
  std::function<bool(const LayerInterface<Scalar>&, CLayer<Scalar>&)> own = {};
};

namespace detail {

/// The layers of a C source, from the input up, and the function that calls them.
template <class Scalar>
class CSource {
 public:
  explicit CSource(const std::string& prefix) : prefix_{prefix} {
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const bool named = !prefix.empty() && !is_digit(prefix[0]) &&
                       std::all_of(prefix.begin(), prefix.end(), [&](char c) { return is_letter(c) || is_digit(c); });
    if (!named) throw OptionError("export_c: prefix must be a C identifier, got '" + prefix + "'");
  }

  CLayer<Scalar> layer(const std::string& number, Shape input, Shape output) const {
    return {prefix_ + "_" + number, input, output};
  }

  /// Adds a layer of values, or of signs in words.
  void add(const std::string& number, const CLayer<Scalar>& layer, const char* in, const char* out, Index room) {
    const std::string name = prefix_ + "_" + number;
    layers_ += '\n' + layer.arrays() + "static void " + name + "(const " + in + " *x, " + out + " *y) {\n" +
               layer.body() + "}\n";
    calls_.push_back({name, room, std::exchange(kept_, 0)});
  }
  void add(const std::string& number, const CLayer<Scalar>& layer) {
    add(number, layer, scalar, scalar, layer.output.size());
  }

  /// The input of the next layer is kept for a Skip above it.
  void keep_input(Index size) { kept_ = size; }
  /// Where it is kept.
  std::string kept_input() const { return prefix_ + "_block_input"; }

  /// The whole file. What stands between two layers are two buffers of `type`, used in turn.
  std::string text(const char* type, const std::string& helpers, Shape input, Shape output) const {
    const std::string predict = "void " + prefix_ + "_predict(const " + scalar + " *x, " + scalar + " *y)";
    Index rooms[2] = {0, 0};
    for (std::size_t i = 0; i + 1 < calls_.size(); ++i) rooms[i % 2] = std::max(rooms[i % 2], calls_[i].room);
    const std::string version = detail::text(ALTMIN_VERSION_MAJOR) + "." + detail::text(ALTMIN_VERSION_MINOR) + "." +
                                detail::text(ALTMIN_VERSION_PATCH);
    std::string result = "/* A network, written by altmin " + version + ". C99; needs math.h alone.\n *\n *   " +
                         predict + ";\n *\n * reads one sample, x[" + detail::text(input.size()) + "] (" +
                         to_string(input) + "), and writes its prediction, y[" + detail::text(output.size()) +
                         "].\n * It keeps static memory: one call at a time. */\n" +
                         "#include <math.h>\n#include <stdint.h>\n\n" + predict + ";\n" + helpers;
    Index kept = 0;
    for (const Call& call : calls_) kept = std::max(kept, call.kept);
    if (kept > 0) result += "\nstatic " + std::string(type) + " " + kept_input() + "[" + detail::text(kept) + "];\n";
    result += layers_ + '\n';
    for (std::size_t b = 0; b < 2; ++b) {
      if (rooms[b] > 0) {
        result += std::string("static ") + type + " " + buffer(b) + "[" + detail::text(rooms[b]) + "];\n";
      }
    }
    result += '\n' + predict + " {\n";
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      const std::string in = i == 0 ? "x" : buffer((i - 1) % 2);
      if (calls_[i].kept > 0) {
        result += "  for (long i = 0; i < " + detail::text(calls_[i].kept) + "; ++i) " + kept_input() + "[i] = " + in +
                  "[i];\n";
      }
      result += "  " + calls_[i].name + "(" + in + ", " + (i + 1 == calls_.size() ? "y" : buffer(i % 2)) + ");\n";
    }
    return result + "}\n";
  }

  static constexpr const char* scalar = CLayer<Scalar>::scalar();

 private:
  struct Call {
    std::string name;
    Index room;  // elements that it writes
    Index kept;  // elements of its input that are kept before it
  };

  std::string buffer(std::size_t b) const { return prefix_ + "_buffer" + detail::text(b); }

  std::string prefix_;
  std::string layers_;
  std::vector<Call> calls_;
  Index kept_ = 0;
};

/// y = scale * x + shift of each channel: a batch normalization at inference, computed in double.
struct CAffine {
  template <class Scalar>
  explicit CAffine(const BatchNorm::Layer<Scalar>& layer) {
    const auto value = [](const Parameter<Scalar>& parameter) -> Vector<double> {
      return parameter.value().template cast<double>();
    };
    const Vector<double> variance = value(layer.statistics()[1]).array() + layer.config().epsilon;
    scale = value(layer.parameters()[0]).cwiseQuotient(variance.cwiseSqrt());
    shift = value(layer.parameters()[1]) - scale.cwiseProduct(value(layer.statistics()[0]));
  }

  Vector<double> scale;
  Vector<double> shift;
};

/// The kinds of layers that the library has, each as C.
template <class Scalar>
class CKinds {
 public:
  /// `folded`: a batch normalization that follows a map and becomes part of it, or null.
  CKinds(CLayer<Scalar>& c, const CAffine* folded) : c_{c}, folded_{folded} {}

  /// False for a layer of another kind.
  bool write(const LayerInterface<Scalar>& layer) {
    if (const auto* dense = layer.template as<Dense>()) return write_dense(*dense), true;
    if (const auto* binary = layer.template as<BinaryDense>()) return write_binary(*binary), true;
    if (const auto* conv = layer.template as<Conv2d>()) return write_conv(*conv), true;
    if (const auto* recurrent = layer.template as<Recurrent>()) return write_recurrent(*recurrent), true;
    if (const auto* norm = layer.template as<BatchNorm>()) return write_norm(CAffine{*norm}), true;
    if (const auto* standardize = layer.template as<Standardize>()) return write_standardize(*standardize), true;
    if (const auto* pool = layer.template as<MaxPool2d>()) return write_pool(pool->config(), true), true;
    if (const auto* pool = layer.template as<AvgPool2d>()) return write_pool(pool->config(), false), true;
    if (layer.template as<LastStep>() != nullptr) {
      each("y[i] = x[i + " + text(c_.input.size() - c_.output.size()) + "];");
    } else if (layer.template as<Relu>() != nullptr) {
      each("y[i] = x[i] > 0 ? x[i] : 0;");
    } else if (const auto* leaky = layer.template as<LeakyRelu>()) {
      each("y[i] = x[i] > 0 ? x[i] : " + number(leaky->config().slope) + " * x[i];");
    } else if (layer.template as<Tanh>() != nullptr) {
      each("y[i] = " + c_.function("tanh") + "(x[i]);");
    } else if (layer.template as<Sigmoid>() != nullptr) {
      each("y[i] = 1 / (1 + " + c_.function("exp") + "(-x[i]));");
    } else if (layer.template as<Sign>() != nullptr) {
      each("y[i] = x[i] > 0 ? 1 : -1;");
    } else {
      return false;
    }
    return true;
  }

 private:
  static std::string number(double value) { return CLayer<Scalar>::literal(static_cast<Scalar>(value)); }

  void each(const std::string& statement) { c_.line("for (long i = 0; i < ", c_.output.size(), "; ++i) ", statement); }

  double scale(Index channel) const { return folded_ != nullptr ? folded_->scale(channel) : 1; }

  /// The bias of each channel with what is folded into it.
  template <class Layer>
  Vector<double> bias(const Layer& layer, Index channels) const {
    Vector<double> result = Vector<double>::Zero(channels);
    if (layer.config().bias) result = layer.parameters()[1].value().template cast<double>();
    if (folded_ != nullptr) result = (folded_->scale.array() * result.array() + folded_->shift.array()).matrix().eval();
    return result;
  }

  template <class Layer>
  Matrix<double> weight(const Layer& layer) const {
    Matrix<double> result = layer.parameters()[0].value().template cast<double>();
    for (Index o = 0; o < result.rows(); ++o) result.row(o) *= scale(o);
    return result;
  }

  void write_dense(const Dense::Layer<Scalar>& layer) {
    const std::string w = c_.array("weight", weight(layer));
    const std::string b = c_.array("bias", bias(layer, c_.output.size()));
    c_.line("for (long o = 0; o < ", c_.output.size(), "; ++o) {");
    c_.line("  const ", c_.scalar(), " *w = ", w, " + o * ", c_.input.size(), ";");
    c_.line("  ", c_.scalar(), " sum = 0;");
    c_.line("  for (long i = 0; i < ", c_.input.size(), "; ++i) sum += w[i] * x[i];");
    c_.line("  y[o] = sum + ", b, "[o];");
    c_.line("}");
  }

  /// Weights as bits, 32 inputs a word.
  void write_binary(const BinaryDense::Layer<Scalar>& layer) {
    const Index inputs = c_.input.size();
    const Index words = (inputs + 31) / 32;
    const Matrix<Scalar>& w = layer.parameters()[0].value();
    std::vector<std::uint32_t> bits(static_cast<std::size_t>(words * w.rows()));
    for (Index o = 0; o < w.rows(); ++o) {
      for (Index i = 0; i < inputs; ++i) {
        if (w(o, i) > Scalar(0)) bits[static_cast<std::size_t>(o * words + i / 32)] |= std::uint32_t{1} << i % 32;
      }
    }
    Workers<Scalar> workers{1};
    Matrix<Scalar> v(w.rows(), inputs);
    layer.write_matrix(workers.worker(), v);
    Vector<double> sizes = v.col(0).cwiseAbs().template cast<double>();
    for (Index o = 0; o < sizes.size(); ++o) sizes(o) *= scale(o);
    const std::string signs = c_.words("signs", w.rows(), words, bits.data());
    const std::string size = c_.array("scale", sizes);
    const std::string b = c_.array("bias", bias(layer, w.rows()));
    c_.line("for (long o = 0; o < ", w.rows(), "; ++o) {");
    c_.line("  const uint32_t *w = ", signs, " + o * ", words, ";");
    c_.line("  ", c_.scalar(), " sum = 0;");
    c_.line("  for (long i = 0; i < ", inputs, "; ++i) sum += w[i / 32] >> i % 32 & 1u ? x[i] : -x[i];");
    c_.line("  y[o] = sum * ", size, "[o] + ", b, "[o];");
    c_.line("}");
  }

  void write_conv(const Conv2d::Layer<Scalar>& layer) {
    const Conv2d& config = layer.config();
    const std::string w = c_.array("weight", weight(layer));
    const std::string b = c_.array("bias", bias(layer, config.outputs));
    const Index area = config.kernel.height * config.kernel.width;
    c_.line("for (long o = 0; o < ", config.outputs, "; ++o) {");
    open_positions("  ");
    c_.line("      ", c_.scalar(), " sum = 0;");
    c_.line("      for (long c = 0; c < ", c_.input.channels, "; ++c) {");
    c_.line("        for (long r = 0; r < ", config.kernel.height, "; ++r) {");
    c_.line("          const long row = i * ", config.stride.height, " + r - ", config.padding.height, ";");
    c_.line("          if (row < 0 || row >= ", c_.input.height, ") continue;");
    c_.line("          for (long s = 0; s < ", config.kernel.width, "; ++s) {");
    c_.line("            const long column = j * ", config.stride.width, " + s - ", config.padding.width, ";");
    c_.line("            if (column < 0 || column >= ", c_.input.width, ") continue;");
    c_.line("            sum += ", w, "[((o * ", c_.input.channels, " + c) * ", area, ") + r * ", config.kernel.width,
            " + s] * x[(c * ", c_.input.height, " + row) * ", c_.input.width, " + column];");
    c_.line("          }");
    c_.line("        }");
    c_.line("      }");
    c_.line("      y[", place("o"), "] = sum + ", b, "[o];");
    close_positions("  ");
    c_.line("}");
  }

  template <class Config>
  void write_pool(const Config& config, bool largest) {
    const Extent stride = config.stride.value_or(config.kernel);
    const auto pixel = [&](const char* row, const char* column) {
      return "plane[(i * " + text(stride.height) + row + ") * " + text(c_.input.width) + " + j * " +
             text(stride.width) + column + "]";
    };
    c_.line("for (long c = 0; c < ", c_.input.channels, "; ++c) {");
    c_.line("  const ", c_.scalar(), " *plane = x + c * ", c_.input.height * c_.input.width, ";");
    open_positions("  ");
    c_.line("      ", c_.scalar(), " value = ", largest ? pixel("", "") : "0", ";");
    c_.line("      for (long r = 0; r < ", config.kernel.height, "; ++r) {");
    c_.line("        for (long s = 0; s < ", config.kernel.width, "; ++s) {");
    c_.line("          const ", c_.scalar(), " next = ", pixel(" + r", " + s"), ";");
    c_.line("          ", largest ? "if (value < next) value = next;" : "value += next;");
    c_.line("        }");
    c_.line("      }");
    const double share = 1 / static_cast<double>(config.kernel.height * config.kernel.width);
    c_.line("      y[", place("c"), "] = ", largest ? std::string{"value"} : number(share) + " * value", ";");
    close_positions("  ");
    c_.line("}");
  }

  void write_norm(const CAffine& affine) {
    const std::string scale = c_.array("scale", affine.scale);
    const std::string shift = c_.array("shift", affine.shift);
    const Index plane = c_.input.height * c_.input.width;
    each("y[i] = " + scale + "[i / " + text(plane) + "] * x[i] + " + shift + "[i / " + text(plane) + "];");
  }

  void write_standardize(const Standardize::Layer<Scalar>& layer) {
    const std::string mean = c_.array("mean", layer.mean());
    const std::string scale = c_.array("scale", layer.deviation().cwiseInverse());
    const std::string group = "[i / " + text(c_.input.size() / layer.mean().size()) + "]";
    each("y[i] = (x[i] - " + mean + group + ") * " + scale + group + ";");
  }

  void write_recurrent(const Recurrent::Layer<Scalar>& layer) {
    const Recurrent& config = layer.config();
    const auto parameters = layer.parameters();
    const std::string w = c_.array("weight_ih", parameters[0].value());
    const std::string v = c_.array("weight_hh", parameters[1].value());
    const Matrix<Scalar> bias = config.bias ? parameters[2].value() : Matrix<Scalar>::Zero(config.units, 1);
    const std::string b = c_.array("bias", bias);
    const std::string state = c_.memory("state", config.units);
    const std::string s =
        config.nonlinearity == Nonlinearity::tanh ? c_.function("tanh") + "(y[u])" : "y[u] > 0 ? y[u] : 0";
    c_.line("for (long u = 0; u < ", config.units, "; ++u) ", state, "[u] = 0;");
    c_.line("for (long t = 0; t < ", c_.input.height, "; ++t) {");
    c_.line("  for (long u = 0; u < ", config.units, "; ++u) {");
    c_.line("    ", c_.scalar(), " sum = ", b, "[u];");
    c_.line("    for (long i = 0; i < ", c_.input.width, "; ++i) sum += ", w, "[u * ", c_.input.width, " + i] * x[i];");
    c_.line("    for (long i = 0; i < ", config.units, "; ++i) sum += ", v, "[u * ", config.units, " + i] * ", state,
            "[i];");
    c_.line("    y[u] = sum;");
    c_.line("  }");
    c_.line("  for (long u = 0; u < ", config.units, "; ++u) ", state, "[u] = ", s, ";");
    c_.line("  x += ", c_.input.width, ";");
    c_.line("  y += ", config.units, ";");
    c_.line("}");
  }

  /// Loops over the positions (i, j) of an output plane.
  void open_positions(const char* indent) {
    c_.line(indent, "for (long i = 0; i < ", c_.output.height, "; ++i) {");
    c_.line(indent, "  for (long j = 0; j < ", c_.output.width, "; ++j) {");
  }
  void close_positions(const char* indent) {
    c_.line(indent, "  }");
    c_.line(indent, "}");
  }
  std::string place(const char* channel) const {
    return std::string("(") + channel + " * " + text(c_.output.height) + " + i) * " + text(c_.output.width) + " + j";
  }

  CLayer<Scalar>& c_;
  const CAffine* folded_;
};

/// The words of a map's signs, 32 inputs a word, outputs one after another.
inline std::vector<std::uint32_t> half_words(const SignMatrix& signs) {
  std::vector<std::uint32_t> result;
  for (Index o = 0; o < signs.outputs(); ++o) {
    for (Index k = 0; k < (signs.inputs() + 31) / 32; ++k) {
      result.push_back(static_cast<std::uint32_t>(signs.word(o, k / 2) >> k % 2 * 32));
    }
  }
  return result;
}

}  // namespace detail

/// A network as one C99 file, for programs without the library: static arrays, no heap, nothing but math.h. It defines
///
///   void PREFIX_predict(const float *x, float *y);   (double for a Network<double>)
///
/// which reads one sample and writes what net.predict() gives, up to rounding: products are summed in another order,
/// and a batch normalization behind a Dense, BinaryDense or Conv2d is folded into it. The weights' signs of a
/// BinaryDense are bits. Numbers are hexadecimal literals, which keep their bits. The same network makes the same text.
///
/// Throws OptionError for a prefix that is no C identifier, for a layer of your own that options.own does not write,
/// and for weights that overflow with a normalization folded in.
template <class Scalar>
std::string c_source(const Network<Scalar>& net, const COptions<Scalar>& options = {}) {
  const auto& layers = net.layers();
  const Shape input = layers.input();
  detail::CSource<Scalar> source{options.prefix};
  const auto is_nothing = [&](Index i) {
    return layers[i].template as<Dropout>() != nullptr || layers[i].template as<Identity>() != nullptr;
  };
  const std::vector<BlockRange> blocks = divide_into_blocks(layers);
  const auto begins_skipping = [&](Index i) {
    return std::any_of(blocks.begin(), blocks.end(), [i](const auto& b) { return b.skips && b.first == i; });
  };
  Shape below = input;
  bool empty = true;
  for (Index i = 0; i < layers.size(); ++i) {
    const auto& layer = layers[i];
    if (begins_skipping(i)) source.keep_input(below.size());
    if (is_nothing(i)) continue;
    const std::string number = detail::text(i);
    std::optional<detail::CAffine> folded;
    if (layer.template as<Dense>() != nullptr || layer.template as<BinaryDense>() != nullptr ||
        layer.template as<Conv2d>() != nullptr) {
      Index next = i + 1;
      while (next < layers.size() && is_nothing(next) && !begins_skipping(next)) ++next;
      const bool joins = next < layers.size() && !begins_skipping(next);
      const auto* norm = joins ? layers[next].template as<BatchNorm>() : nullptr;
      if (norm != nullptr) {
        folded.emplace(*norm);
        i = next;
      }
    }
    auto c = source.layer(number, below, layer.output());
    try {
      if (const auto* skip = layer.template as<Skip>()) {
        c.line("for (long i = 0; i < ", below.size(), "; ++i) y[i] = ", source.kept_input(), "[i] + ",
               c.literal(static_cast<Scalar>(skip->config().branch)), " * x[i];");
      } else if (!detail::CKinds<Scalar>{c, folded ? &*folded : nullptr}.write(layer) &&
                 !(options.own && options.own(layer, c))) {
        throw OptionError("expected a layer of the library, or one that COptions::own writes");
      }
    } catch (const OptionError& error) {
      throw OptionError("export_c: layer " + number + " (" + layer.name() + "): " + error.what());
    }
    source.add(number, c);
    below = layer.output();
    empty = false;
  }
  if (empty) {
    auto c = source.layer("0", input, input);
    c.line("for (long i = 0; i < ", input.size(), "; ++i) y[i] = x[i];");
    source.add("0", c);
  }
  return source.text(source.scalar, "", input, layers.output());
}

/// The same of a packed network: signs are bits between the layers, too, and products are counts of differing bits.
/// Predicts bit for bit what the network does; where a batch normalization stands behind the last map, up to rounding.
/// An input below the least normal number counts as 0, as it does in the library on x86.
template <class Scalar>
std::string c_source(const PackedNetwork<Scalar>& net, const COptions<Scalar>& options = {}) {
  using detail::text;
  detail::CSource<Scalar> source{options.prefix};
  const auto words = [](Index signs) { return (signs + 31) / 32; };
  const std::string ones = options.prefix + "_ones";
  const std::string helpers =
      "\n/* How many bits are 1. */\nstatic uint32_t " + ones +
      "(uint32_t word) {\n  word -= word >> 1 & 0x55555555u;\n  word = (word & 0x33333333u) + (word >> 2 & "
      "0x33333333u);\n  return ((word + (word >> 4)) & 0x0f0f0f0fu) * 0x01010101u >> 24;\n}\n";
  const auto count = [&](CLayer<Scalar>& c, const detail::SignMatrix& signs) {
    const std::string name = c.words("signs", signs.outputs(), words(signs.inputs()), detail::half_words(signs).data());
    c.line("for (long o = 0; o < ", signs.outputs(), "; ++o) {");
    c.line("  const uint32_t *w = ", name, " + o * ", words(signs.inputs()), ";");
    c.line("  uint32_t differing = 0;");
    c.line("  for (long k = 0; k < ", words(signs.inputs()), "; ++k) differing += ", ones, "(w[k] ^ x[k]);");
  };

  const Index inputs = net.inputs();
  auto first = source.layer("in", inputs, inputs);
  first.line("for (long k = 0; k < ", words(inputs), "; ++k) y[k] = 0;");
  first.line("for (long i = 0; i < ", inputs, "; ++i) {");
  first.line("  if (x[i] >= ", first.literal(std::numeric_limits<Scalar>::min()),
             ") y[i / 32] |= (uint32_t)1 << i % 32;");
  first.line("}");
  source.add("in", first, source.scalar, "uint32_t", words(inputs));

  for (std::size_t l = 0; l < net.hidden().size(); ++l) {
    const detail::PackedSigns& map = net.hidden()[l];
    auto c = source.layer(text(l), map.inputs(), map.outputs());
    std::vector<std::uint32_t> bounds;
    std::vector<std::uint32_t> turned;
    for (Index o = 0; o < map.outputs(); ++o) bounds.push_back(static_cast<std::uint32_t>(map.bound(o)));
    for (Index k = 0; k < words(map.outputs()); ++k) {
      turned.push_back(static_cast<std::uint32_t>(map.turned(k / 2) >> k % 2 * 32));
    }
    const std::string turned_name = c.words("turned", 1, words(map.outputs()), turned.data());
    const std::string bounds_name = c.words("bounds", 1, map.outputs(), bounds.data());
    c.line("for (long k = 0; k < ", words(map.outputs()), "; ++k) y[k] = ", turned_name, "[k];");
    count(c, map.weights());
    c.line("  if (differing < ", bounds_name, "[o]) y[o / 32] ^= (uint32_t)1 << o % 32;");
    c.line("}");
    source.add(text(l), c, "uint32_t", "uint32_t", words(map.outputs()));
  }

  const detail::PackedMap<Scalar>& map = net.last();
  const Index outputs = map.signs().outputs();
  auto c = source.layer("out", map.signs().inputs(), outputs);
  const std::string scale = c.array("scale", map.scale());
  const std::string bias = c.array("bias", map.bias());
  count(c, map.signs());
  c.line("  y[o] = (", c.scalar(), ")(", map.signs().inputs(), " - 2 * (long)differing) * ", scale, "[o] + ", bias,
         "[o];");
  for (std::size_t n = 0; n < map.normalizations().size(); ++n) {
    const detail::CAffine affine{map.normalizations()[n]};
    const std::string gain = c.array(("gain" + text(n)).c_str(), affine.scale);
    const std::string shift = c.array(("shift" + text(n)).c_str(), affine.shift);
    c.line("  y[o] = ", gain, "[o] * y[o] + ", shift, "[o];");
  }
  c.line("}");
  source.add("out", c, "uint32_t", source.scalar, outputs);
  return source.text("uint32_t", helpers, inputs, outputs);
}

/// Writes c_source() of a Network or a PackedNetwork. Throws Error where the stream or the file fails; a file is
/// written whole, or stays as it was.
template <class Net>
void export_c(const Net& net, std::ostream& out, const COptions<typename Net::Scalar>& options = {}) {
  if (!(out << c_source(net, options))) throw Error("export_c: expected a stream that can be written");
}
template <class Net>
void export_c(const Net& net, const std::string& path, const COptions<typename Net::Scalar>& options = {}) {
  OutputFile{path}.write(c_source(net, options));
}

}  // namespace altmin
