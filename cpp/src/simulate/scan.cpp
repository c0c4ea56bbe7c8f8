// From beam space to pixels.
#include <cmath>

#include "usfast/simulate.hpp"

namespace usfast {
namespace {

using Complex = std::complex<float>;

// Four samples around a place and their bilinear weights.
struct Corners {
    std::int64_t at[4];
    float weight[4];
};

bool locate(float line, float sample, std::int64_t lines, std::int64_t samples, Corners& c) {
    if (!(line >= 0 && sample >= 0 && line <= static_cast<float>(lines - 1) &&
          sample <= static_cast<float>(samples - 1)))
        return false;
    auto l = static_cast<std::int64_t>(line), s = static_cast<std::int64_t>(sample);
    if (l == lines - 1) --l;
    if (s == samples - 1) --s;
    const float fl = line - static_cast<float>(l), fs = sample - static_cast<float>(s);
    c = {{l * samples + s, l * samples + s + 1, (l + 1) * samples + s, (l + 1) * samples + s + 1},
         {(1 - fl) * (1 - fs), (1 - fl) * fs, fl * (1 - fs), fl * fs}};
    return true;
}

// Magnitude interpolated, phase of the nearest corner.
Complex interface_at(const Complex* interfaces, const Corners& c) {
    float magnitude = 0, best = -1;
    Complex phase = 0;
    for (int n = 0; n < 4; ++n) {
        const Complex value = interfaces[c.at[n]];
        const float size = std::sqrt(value.real() * value.real() + value.imag() * value.imag());
        magnitude += c.weight[n] * size;
        if (size > 0 && c.weight[n] > best) best = c.weight[n], phase = value / size;
    }
    return magnitude * phase;
}

}  // namespace

void scan_convert(const Complex* speckle, const Complex* interfaces, std::int64_t lines, std::int64_t samples,
                  const float* place, std::int64_t pixels, float* envelope) {
    for (std::int64_t p = 0; p < pixels; ++p) {
        Corners c;
        envelope[p] = 0;
        if (!locate(place[2 * p], place[2 * p + 1], lines, samples, c)) continue;
        Complex value = 0;
        for (int n = 0; n < 4; ++n) value += c.weight[n] * speckle[c.at[n]];
        if (interfaces) value += interface_at(interfaces, c);
        envelope[p] = std::sqrt(value.real() * value.real() + value.imag() * value.imag());
    }
}

}  // namespace usfast
