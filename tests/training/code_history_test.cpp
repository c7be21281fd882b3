// The callback that keeps what a step does to the codes.

#include "altmin/training/code_history.hpp"

#include <sstream>

#include "../support.hpp"
#include "altmin/altmin.hpp"
#include "catch.hpp"
#include "message_of.hpp"

TEMPLATE_TEST_CASE("a code history keeps reports of one batch and leaves training as it is", "[callbacks]", float,
                   double) {
  altmin::Random random{altmin::Seed{4}};
  const altmin::Dataset<TestType> data{support::random_matrix<TestType>(4, 30, random),
                                       altmin::Labels::NullaryExpr(30, [](altmin::Index i) { return int(i % 3); }), 3};
  const auto make = [] {
    altmin::Layers<TestType> layers{4};
    layers.add(altmin::Dense{6}).add(altmin::Tanh{}).add(altmin::Dense{3});
    return altmin::Network<TestType>{layers, altmin::SoftmaxCrossEntropy{}, altmin::AmAdam::equilibrium(),
                                     altmin::Seed{1}};
  };
  altmin::FitOptions options;
  options.epochs = 2;
  options.batch_size = 10;
  options.shuffle = false;
  auto alone = make();
  altmin::fit(alone, data, options);
  auto net = make();
  const auto first = net.inspect(data.take(10).x(), data.take(10).y());
  altmin::CodeHistory<TestType> codes{2};
  altmin::fit(net, data, options, codes);
  CHECK(net == alone);

  REQUIRE(codes.rows().size() == 6);  // before steps 0, 2, 4 of two blocks
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(codes.rows()[i].step == altmin::Index(i / 2 * 2));
    CHECK(codes.rows()[i].block == altmin::Index(i % 2));
  }
  CHECK(codes.rows()[0].displacement == first[0].displacement);
  CHECK(codes.rows()[1].cosine == first[1].cosine);

  std::ostringstream csv;
  codes.write_csv(csv);
  std::istringstream lines{csv.str()};
  std::string line;
  std::getline(lines, line);
  CHECK(line == "step,block,cosine,displacement,flipped,penalty");
  int count = 0;
  while (std::getline(lines, line)) {
    CHECK(std::count(line.begin(), line.end(), ',') == 5);
    if (count++ % 2 == 1) CHECK(line.substr(line.size() - 3) == ",,,");  // the last block has no code above it
  }
  CHECK(count == 6);
}

TEST_CASE("a code history is refused without an interval", "[callbacks]") {
  CHECK(support::message_of<altmin::OptionError>([] { altmin::CodeHistory<float>{0}; }) ==
        "CodeHistory: every must be 1 or more, got 0");
}
