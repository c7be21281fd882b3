// Layers, losses and algorithms of a user's own, taken from the examples, in files.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <string>

#include "../../examples/extensions/am_lion.hpp"
#include "../../examples/extensions/feedback_alignment.hpp"
#include "../../examples/extensions/huber.hpp"
#include "../../examples/extensions/swish.hpp"
#include "../support.hpp"
#include "catch.hpp"
#include "support.hpp"

using altmin::FormatError;
using altmin::Matrix;
using ExtendedNet = altmin::Network<float, Swish, Huber, AmLion, FeedbackAlignment>;

TEST_CASE("networks of a user's own parts are saved, and go on to the same bits", "[extensions]") {
  altmin::Random random{altmin::Seed{1}};
  const Matrix<float> x = support::random_matrix<float>(3, 20, random);
  const Matrix<float> y = support::random_matrix<float>(2, 20, random);
  const auto check = [&](const auto& algorithm) {
    ExtendedNet::Layers layers{3};
    layers.add(altmin::Dense{5}).add(Swish{0.5}).add(altmin::Dense{4}).add(Swish{2}).add(altmin::Dense{2});
    ExtendedNet net{layers, Huber{0.7}, algorithm, altmin::Seed{1}};
    net.set_threads(1);
    for (int s = 0; s < 3; ++s) REQUIRE(net.step(x, y));
    const std::string file = altmin::format_checkpoint(net);
    auto saved = altmin::parse_checkpoint<ExtendedNet>(file);
    CHECK(saved.network == net);
    net.step(x, y);
    CHECK(saved.network != net);
    saved.network.set_threads(1);
    saved.network.step(x, y);
    CHECK(saved.network == net);
    CHECK(saved.network.template algorithm<std::decay_t<decltype(algorithm)>>() != nullptr);
    CHECK_THROWS_AS(altmin::parse_model<altmin::Network<float>>(file), FormatError);  // it knows no Swish
  };
  check(AmLion{});
  FeedbackAlignment feedback;
  feedback.seed = altmin::Seed{8};
  check(feedback);
  check(altmin::AmAdam{});
}
