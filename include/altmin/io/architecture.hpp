#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "altmin/io/kinds.hpp"
#include "altmin/io/options.hpp"
#include "altmin/io/tensors.hpp"
#include "altmin/network/network.hpp"

/// What was chosen of a network, as a file has it: its layers, its loss and its algorithm, with their options.

namespace altmin::detail {

struct LayerKind : Kind {
  std::vector<std::string> frozen{};  // names of parameters

  template <class Visitor>
  void visit(Visitor& visitor) {
    Kind::visit(visitor);
    visit_part(visitor, "frozen", frozen);
  }
};

struct Architecture {
  std::vector<Index> input;  // the shape of a sample
  std::vector<LayerKind> layers;
  Kind loss;
  Kind algorithm;

  template <class Visitor>  // a JsonWriter or a JsonReader
  void visit(Visitor& visitor) {
    const auto show = [&](const std::string& name, auto& kind) {
      visitor.enter(name);
      kind.visit(visitor);
      visitor.leave();
    };
    visit_part(visitor, "input", input);
    visitor.enter("layers");
    visit_list(visitor, layers, [&](std::size_t i) { show(std::to_string(i), layers[i]); });
    visitor.leave();
    show("loss", loss);
    show("algorithm", algorithm);
  }
};

inline nlohmann::json to_json(Architecture architecture) {
  nlohmann::json json;
  JsonWriter writer{json};
  architecture.visit(writer);
  return json;
}

inline Architecture parse_architecture(const std::string& text) {
  const nlohmann::json json = parse_json(text, "network");
  Architecture architecture;
  JsonReader reader{json, "network"};
  architecture.visit(reader);
  reader.finish();
  return architecture;
}

/// Calls visit(parameter) for all arrays that a layer learns or keeps.
template <class Layer, class Visit>
void for_each_array(Layer& layer, Visit&& visit) {
  for (auto& parameter : layer.parameters()) visit(parameter);
  for (auto& parameter : layer.statistics()) visit(parameter);
}

/// The kind of a layer, loss or algorithm.
template <class Part>
Kind kind_of(const Part& part) {
  Kind kind{part.name()};
  JsonWriter writer{kind.options};
  part.visit_options(writer);
  return kind;
}

template <class Scalar>
Architecture architecture_of(const Network<Scalar>& net) {
  const Shape input = net.layers().input();
  Architecture result{{input.channels, input.height, input.width}, {}, kind_of(*net.loss()), kind_of(net.algorithm())};
  for (const auto& layer : net.layers()) {
    result.layers.push_back({kind_of(layer)});
    for_each_array(layer, [&](const auto& parameter) {
      if (parameter.frozen()) result.layers.back().frozen.emplace_back(parameter.name());
    });
  }
  return result;
}

/// Freezes the parameters of a layer that the file names, and no others.
template <class Scalar>
void freeze_parameters(LayerInterface<Scalar>& layer, const LayerKind& kind, const std::string& where) {
  for_each_array(layer, [](auto& parameter) { parameter.freeze(false); });
  for (const std::string& name : kind.frozen) {
    bool found = false;
    for_each_array(layer, [&](auto& parameter) {
      if (name != parameter.name()) return;
      parameter.freeze();
      found = true;
    });
    if (!found) throw FormatError(where + ".frozen: there is no parameter '" + shown(name) + "'");
  }
}

/// Turns what action() finds wrong with options and shapes into a FormatError.
template <class Action>
void refuse_as_format(const std::string& where, Action&& action) {
  try {
    action();
  } catch (const FormatError&) {
    throw;
  } catch (const Error& error) {
    throw FormatError(where + ": " + error.what());
  }
}

inline std::string where_is_layer(Index i) { return "network.layers[" + std::to_string(i) + "]"; }

/// The layers, their values still to be read. Each one's size is compared with the file before it is made.
template <class Scalar, class All>
Layers<Scalar> make_layers(const Architecture& architecture, TensorReader& reader) {
  const auto& input = architecture.input;
  if (input.size() != 3 || checked_product(checked_product(input[0], input[1]), input[2]) < 1) {
    throw FormatError("network.input: expected channels, height and width, got " + shown_json(options_to_json(input)));
  }
  Layers<Scalar> layers{Shape{input[0], input[1], input[2]}};
  for (const LayerKind& kind : architecture.layers) {
    const Index i = layers.size();
    const std::string where = where_is_layer(i);
    read_kind(typename All::Layers{}, kind, where, [&](const auto& config) {
      using Layer = typename std::decay_t<decltype(config)>::template Layer<Scalar>;
      refuse_as_format(where, [&] {
        for (const auto& shape : Layer::parameter_shapes(config, layers.output())) {
          reader.template require<Scalar>(joined(std::to_string(i), shape.name), shape);
        }
        for (const auto& shape : Layer::state_shapes(config, layers.output())) {
          reader.template require<double>(joined(std::to_string(i), shape.name), shape);
        }
      });
      refuse_as_format("network", [&] { layers.add(config); });
    });
    freeze_parameters(layers[i], kind, where);
  }
  return layers;
}

/// The network, its layers' values and the algorithm's state still to be read.
template <class Scalar, class All>
Network<Scalar> make_network(const Architecture& architecture, TensorReader& reader) {
  auto layers = make_layers<Scalar, All>(architecture, reader);
  std::optional<AnyLoss<Scalar>> loss;
  read_kind(typename All::Losses{}, architecture.loss, "network.loss",
            [&](const auto& options) { loss.emplace(options); });
  std::optional<Network<Scalar>> net;
  refuse_as_format("network", [&] { net.emplace(std::move(layers), std::move(*loss), Sgd{}, Initialized{}); });
  read_algorithm<All>(architecture.algorithm, "network.algorithm", [&](const auto& options) {
    refuse_as_format("network.algorithm", [&] { net->set_algorithm(options); });
  });
  return std::move(*net);
}

}  // namespace altmin::detail
