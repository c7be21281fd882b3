// predict MODEL: reads samples from standard input, numbers separated by spaces or lines, and writes a line of the
// network's outputs for each. So a model that was trained in Python is used by a C++ program.

#include <altmin/altmin.hpp>
#include <altmin/io.hpp>
#include <iostream>
#include <iterator>
#include <limits>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: predict MODEL\n";
    return 1;
  }
  try {
    const auto net = altmin::load_model<float>(argv[1]);
    const altmin::Index features = net.layers().input().size();
    const std::vector<float> numbers{std::istream_iterator<float>{std::cin}, {}};
    const auto count = static_cast<altmin::Index>(numbers.size());
    if (!std::cin.eof() || count == 0 || count % features != 0) {
      std::cerr << "predict: expected samples of " << features << " numbers each, got " << count << " numbers"
                << (std::cin.eof() ? "\n" : " and a text\n");
      return 1;
    }
    const Eigen::Map<const altmin::Matrix<float>> samples{numbers.data(), features, count / features};
    const altmin::Matrix<float> outputs = net.predict(samples);
    std::cout.precision(std::numeric_limits<float>::max_digits10);
    for (altmin::Index t = 0; t < outputs.cols(); ++t) std::cout << outputs.col(t).transpose() << '\n';
    return 0;
  } catch (const altmin::Error& error) {
    std::cerr << "predict: " << error.what() << '\n';
    return 1;
  }
}
