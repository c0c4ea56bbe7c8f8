// One block of points: the delays and weights of the receiving elements once, then for every transmit the sum over
// the elements. Delays are whole numbers of 2^-bits samples, so that indices and fractions come from shifts and masks.
#include "kernel.hpp"

#include <cmath>

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

constexpr int lanes = beam_lanes;
constexpr float tolerance = 0.02f;  // mm: a point of an arc lies behind the planes of its neighbouring elements

struct Points {
    double x[lanes], y[lanes], z[lanes];
    double base[lanes];                     // distance to the middle of the array, mm
    float qx[lanes], qy[lanes], qz[lanes];  // from there, mm
    float far[lanes];                       // the base again
};

// Nearest whole number for |x| < 2^51 or 2^22, without an instruction that the baseline lacks.
inline double nearest(double x) {
    const double big = 6755399441055744.0;  // 1.5 * 2^52
    return (x + big) - big;
}
inline float nearest(float x) {
    const float big = 12582912.0f;  // 1.5 * 2^23
    return (x + big) - big;
}

// cos(2 pi t) and sin(2 pi t) for |t| <= 1/2, from the sine up to a quarter of a turn: cos(a) = 1 - 2 sin(a / 2)^2.
// Taylor's polynomial ends where the rest is below 1e-7.
inline float sine_quarter(float x) {  // sin(2 pi x), |x| <= 1/4
    const float a = 6.28318530717958648f * x, s = a * a;
    return a * (1.0f +
                s * (-1.6666666667e-1f +
                     s * (8.3333333333e-3f + s * (-1.9841269841e-4f + s * (2.7557319224e-6f - s * 2.5052108385e-8f)))));
}
inline float cosine_turn(float t) {
    const float half = sine_quarter(0.5f * t);
    return 1.0f - 2.0f * half * half;
}
inline float sine_turn(float t) {
    // sin of |t| in (1/4, 1/2] is that of 1/2 - |t|.
    const float size = t < 0 ? -t : t, near = size > 0.25f ? 0.5f - size : size, value = sine_quarter(near);
    return t < 0 ? -value : value;
}

inline std::int32_t fixed(double value) {
    const double limit = 1073741823.0;  // the sum of two stays in 32 bits
    value = value > limit ? limit : value;
    value = value < -limit ? -limit : value;
    return static_cast<std::int32_t>(nearest(value));
}

// Weight of an element whose place in the aperture is u: 0 in its middle, 1 at its edge.
inline float window_weight(Window window, float taper, float u) {
    switch (window) {
        case Window::boxcar:
            return 1.0f;
        case Window::hann:
            return 0.5f + 0.5f * cosine_turn(0.5f * u);
        case Window::hamming:
            return 0.54f + 0.46f * cosine_turn(0.5f * u);
        case Window::tukey: {
            float fall = (u - (1.0f - taper)) / taper;
            fall = fall > 0 ? fall : 0.0f;
            return 0.5f + 0.5f * cosine_turn(0.5f * fall);
        }
    }
    return 0.0f;
}

template <Window window>
void fade(float taper, const float* axial, const float* across, float* weight) {
    for (int j = 0; j < lanes; ++j) {
        const float along = axial[j] * axial[j], ratio = across[j] / along;
        const float u = std::sqrt(ratio < 1 ? ratio : 1.0f);
        weight[j] *= window_weight(window, taper, u);
    }
}

// Weights of one element in all points; false where it serves none of them.
bool apodise(const float* axial, const float* square, const BeamformOptions& o, float* weight) {
    for (int j = 0; j < lanes; ++j) weight[j] = 1;
    if (o.f_number == 0) return true;
    // A hair wider than asked for: on regular grids many points lie exactly at an edge.
    const auto reach = static_cast<float>(4 * o.f_number * o.f_number * (1 - 1e-5));
    float across[lanes];
    std::int32_t any = 0;
    for (int j = 0; j < lanes; ++j) {
        const float along = axial[j] * axial[j], rest = square[j] - along;
        across[j] = reach * (rest > 0 ? rest : 0.0f);
        const std::int32_t inside = (axial[j] > 0) & (across[j] <= along);
        any |= inside;
        weight[j] = static_cast<float>(inside);
    }
    if (any == 0) return false;
    const auto taper = static_cast<float>(o.taper);
    switch (o.window) {
        case Window::boxcar:
            break;
        case Window::hann:
            fade<Window::hann>(taper, axial, across, weight);
            break;
        case Window::hamming:
            fade<Window::hamming>(taper, axial, across, weight);
            break;
        case Window::tukey:
            fade<Window::tukey>(taper, axial, across, weight);
            break;
    }
    return true;
}

// Delay, weight and phase of one element for all points of the block. `front` collects whether a point is before it.
// With q from the middle of the array to the point and r to the element, |q - r| - |q| = r (r - 2 q) / (|q - r| + |q|):
// a difference without cancellation, so that float holds it to some 1e-7 of the array's size.
void receive(const BeamformJob& job, std::int64_t e, const Points& p, const BeamScratch& scratch, std::uint8_t* front) {
    const BeamformOptions& o = job.options;
    const double *at = job.positions + 3 * e, *normal = job.normals + 3 * e;
    const auto n0 = static_cast<float>(normal[0]), n1 = static_cast<float>(normal[1]),
               n2 = static_cast<float>(normal[2]);
    const auto r0 = static_cast<float>(at[0] - job.centre[0]), r1 = static_cast<float>(at[1] - job.centre[1]),
               r2 = static_cast<float>(at[2] - job.centre[2]);
    float axial[lanes], square[lanes];
    for (int j = 0; j < lanes; ++j) {
        const float x = p.qx[j] - r0, y = p.qy[j] - r1, z = p.qz[j] - r2;
        axial[j] = x * n0 + y * n1 + z * n2;
        square[j] = x * x + y * y + z * z;
    }
    for (int j = 0; j < lanes; ++j) front[j] |= axial[j] >= -tolerance;
    float* weight = scratch.weight + e * lanes;
    scratch.used[e] = apodise(axial, square, o, weight);
    if (!scratch.used[e]) return;
    const auto scale = static_cast<float>(o.sampling_frequency / o.speed * static_cast<double>(1 << job.bits));
    const float own = r0 * r0 + r1 * r1 + r2 * r2;
    float beyond[lanes];
    for (int j = 0; j < lanes; ++j) {
        const float difference = own - 2 * (r0 * p.qx[j] + r1 * p.qy[j] + r2 * p.qz[j]);
        beyond[j] = difference / (std::sqrt(square[j]) + p.far[j] + 1e-30f);
    }
    std::int32_t* delay = scratch.delay + e * lanes;
    for (int j = 0; j < lanes; ++j) delay[j] = static_cast<std::int32_t>(beyond[j] * scale);
    if (!job.channels.complex) return;
    const auto turns = static_cast<float>(o.demodulation_frequency / o.speed);
    float* sine = scratch.sine + e * lanes;
    for (int j = 0; j < lanes; ++j) {
        const float turn = beyond[j] * turns, part = turn - nearest(turn);
        sine[j] = weight[j] * sine_turn(part);
        weight[j] *= cosine_turn(part);
    }
}

// Distance that the front has run since time zero when it reaches each point, mm; infinite where it never does.
void transmit_path(const BeamformJob& job, const Transmit& t, const Points& p, double* path) {
    if (t.wave == Wave::plane) {
        for (int j = 0; j < lanes; ++j)
            path[j] = (p.x[j] - t.reference[0]) * t.point[0] + (p.y[j] - t.reference[1]) * t.point[1] +
                      (p.z[j] - t.reference[2]) * t.point[2];
    } else if (t.wave == Wave::source) {
        const double s0 = t.point[0] - t.reference[0], s1 = t.point[1] - t.reference[1],
                     s2 = t.point[2] - t.reference[2];
        const double lead = std::sqrt(s0 * s0 + s1 * s1 + s2 * s2);
        const bool focused = s1 > 0;
        for (int j = 0; j < lanes; ++j) {
            const double x = p.x[j] - t.point[0], y = p.y[j] - t.point[1], z = p.z[j] - t.point[2];
            const double far = std::sqrt(x * x + y * y + z * z);
            const bool before = x * s0 + y * s1 + z * s2 < 0;
            path[j] = focused ? lead + (before ? -far : far) : far - lead;
        }
    } else {
        for (int j = 0; j < lanes; ++j) path[j] = 1e300;
        for (std::int64_t e = 0; e < job.channels.elements; ++e) {
            const double head = t.delays[e] * job.options.speed;
            if (!(head - head == 0)) continue;
            const double* at = job.positions + 3 * e;
            for (int j = 0; j < lanes; ++j) {
                const double x = p.x[j] - at[0], y = p.y[j] - at[1], z = p.z[j] - at[2];
                const double far = head + std::sqrt(x * x + y * y + z * z);
                path[j] = far < path[j] ? far : path[j];
            }
        }
    }
}

// How many samples are interpolated between, and how many of them lie before the delay's own.
template <Interpolation method>
struct Stencil;
template <>
struct Stencil<Interpolation::nearest> {
    static constexpr int taps = 1, before = 0;
};
template <>
struct Stencil<Interpolation::linear> {
    static constexpr int taps = 2, before = 0;
};
template <>
struct Stencil<Interpolation::cubic> {
    static constexpr int taps = 4, before = 1;
};

template <Interpolation method>
struct Located {
    std::int32_t index[lanes];  // of the first sample
    float weight[Stencil<method>::taps][lanes];
    float inside[lanes];
};

template <Interpolation method>
inline void locate(const BeamformJob& job, const std::int32_t* delay, const std::int32_t* start, Located<method>& l) {
    using S = Stencil<method>;
    const int bits = job.bits;
    const auto samples = static_cast<std::int32_t>(job.channels.samples);
    const std::int32_t most = samples - S::taps, last = (samples - 1) << bits;
    const std::int32_t half = method == Interpolation::nearest ? 1 << (bits - 1) : 0;
    const float unit = 1.0f / static_cast<float>(1 << bits);
    for (int j = 0; j < lanes; ++j) {
        const std::int32_t k = delay[j] + start[j];
        const bool inside = (k >= 0) & (k <= last);
        std::int32_t i = ((k + half) >> bits) - S::before;
        i = i > most ? most : i;
        i = i < 0 ? 0 : i;
        l.index[j] = i;
        l.inside[j] = inside ? 1.0f : 0.0f;
        if constexpr (method == Interpolation::nearest) {
            l.weight[0][j] = l.inside[j];
        } else {
            const std::int32_t rest = inside ? k - ((i + S::before) << bits) : 0;
            const float f = static_cast<float>(rest) * unit;
            if constexpr (method == Interpolation::linear) {
                const float upper = l.inside[j] * f;
                l.weight[0][j] = l.inside[j] - upper;
                l.weight[1][j] = upper;
            } else {
                const float a = f + 1, b = f - 1, c = f - 2, g = l.inside[j];
                l.weight[0][j] = g * (f * b * c * (-1.0f / 6));
                l.weight[1][j] = g * (a * b * c * 0.5f);
                l.weight[2][j] = g * (a * f * c * -0.5f);
                l.weight[3][j] = g * (a * f * b * (1.0f / 6));
            }
        }
    }
}

// Four floats side by side. Loads from four places and a transposition beat what compilers make of scattered loads.
using Two = float __attribute__((vector_size(8)));
using Four = float __attribute__((vector_size(16)));

template <typename V>
inline V load(const float* from) {
    V v;
    __builtin_memcpy(&v, from, sizeof v);
    return v;
}

inline void store(float* to, Four v) { __builtin_memcpy(to, &v, sizeof v); }

inline Four join(Two a, Two b) { return __builtin_shufflevector(a, b, 0, 1, 2, 3); }

// taken[k] = sample k of each of four points.
template <int width>
inline void take(const float* a, const float* b, const float* c, const float* d, Four* taken) {
    if constexpr (width == 1) {
        taken[0] = Four{*a, *b, *c, *d};
    } else if constexpr (width == 2) {
        const Four ab = join(load<Two>(a), load<Two>(b)), cd = join(load<Two>(c), load<Two>(d));
        taken[0] = __builtin_shufflevector(ab, cd, 0, 2, 4, 6);
        taken[1] = __builtin_shufflevector(ab, cd, 1, 3, 5, 7);
    } else {
        for (int k = 0; k < width; k += 4) {
            const Four va = load<Four>(a + k), vb = load<Four>(b + k), vc = load<Four>(c + k), vd = load<Four>(d + k);
            const Four ab = __builtin_shufflevector(va, vb, 0, 4, 1, 5),
                       cd = __builtin_shufflevector(vc, vd, 0, 4, 1, 5);
            const Four ef = __builtin_shufflevector(va, vb, 2, 6, 3, 7),
                       gh = __builtin_shufflevector(vc, vd, 2, 6, 3, 7);
            taken[k] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
            taken[k + 1] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
            taken[k + 2] = __builtin_shufflevector(ef, gh, 0, 1, 4, 5);
            taken[k + 3] = __builtin_shufflevector(ef, gh, 2, 3, 6, 7);
        }
    }
}

template <Interpolation method>
void add_real(const float* row, const Located<method>& l, const float* weight, float* sum) {
    constexpr int taps = Stencil<method>::taps;
    for (int j = 0; j < lanes; j += 4) {
        const std::int32_t* i = l.index + j;
        Four taken[taps];
        take<taps>(row + i[0], row + i[1], row + i[2], row + i[3], taken);
        Four value = taken[0] * load<Four>(l.weight[0] + j);
        for (int k = 1; k < taps; ++k) value += taken[k] * load<Four>(l.weight[k] + j);
        store(sum + j, load<Four>(sum + j) + value * load<Four>(weight + j));
    }
}

template <Interpolation method>
void add_complex(const float* row, const Located<method>& l, const float* cosine, const float* sine, float* sum) {
    constexpr int taps = Stencil<method>::taps;
    for (int j = 0; j < lanes; j += 4) {
        const std::int32_t* i = l.index + j;
        Four taken[2 * taps];
        take<2 * taps>(row + 2 * std::int64_t{i[0]}, row + 2 * std::int64_t{i[1]}, row + 2 * std::int64_t{i[2]},
                       row + 2 * std::int64_t{i[3]}, taken);
        Four re = taken[0] * load<Four>(l.weight[0] + j), im = taken[1] * load<Four>(l.weight[0] + j);
        for (int k = 1; k < taps; ++k) {
            const Four w = load<Four>(l.weight[k] + j);
            re += taken[2 * k] * w;
            im += taken[2 * k + 1] * w;
        }
        const Four c = load<Four>(cosine + j), s = load<Four>(sine + j);
        store(sum + j, load<Four>(sum + j) + (re * c - im * s));
        store(sum + lanes + j, load<Four>(sum + lanes + j) + (re * s + im * c));
    }
}

template <Interpolation method>
void add_elements(const BeamformJob& job, std::int64_t t, const std::int32_t* start, const BeamScratch& scratch,
                  float* sum) {
    const Channels& c = job.channels;
    const std::int64_t row = c.samples * (c.complex ? 2 : 1);
    Located<method> l;
    for (std::int64_t e = 0; e < c.elements; ++e) {
        if (!scratch.used[e]) continue;
        locate<method>(job, scratch.delay + e * lanes, start, l);
        const float* data = c.data + (t * c.elements + e) * row;
        if (c.complex)
            add_complex<method>(data, l, scratch.weight + e * lanes, scratch.sine + e * lanes, sum);
        else
            add_real<method>(data, l, scratch.weight + e * lanes, sum);
    }
}

// One transmit: where its front is, the sum over the elements, the phase of the way there.
void add_transmit(const BeamformJob& job, std::int64_t t, const Points& p, const BeamScratch& scratch, float* sum) {
    const BeamformOptions& o = job.options;
    const Transmit& transmit = job.transmits[t];
    double path[lanes];
    transmit_path(job, transmit, p, path);
    const double scale = static_cast<double>(1 << job.bits);
    std::int32_t start[lanes];
    for (int j = 0; j < lanes; ++j) {
        path[j] += p.base[j];
        start[j] = fixed((path[j] / o.speed - transmit.start) * o.sampling_frequency * scale);
    }
    const int parts = job.channels.complex ? 2 : 1;
    for (int j = 0; j < parts * lanes; ++j) sum[j] = 0;
    switch (o.interpolation) {
        case Interpolation::nearest:
            add_elements<Interpolation::nearest>(job, t, start, scratch, sum);
            break;
        case Interpolation::linear:
            add_elements<Interpolation::linear>(job, t, start, scratch, sum);
            break;
        case Interpolation::cubic:
            add_elements<Interpolation::cubic>(job, t, start, scratch, sum);
            break;
    }
    if (!job.channels.complex) return;
    for (int j = 0; j < lanes; ++j) {
        double turn = path[j] < 1e12 ? path[j] * (o.demodulation_frequency / o.speed) : 0;
        turn -= nearest(turn);
        const float c = cosine_turn(static_cast<float>(turn)), s = sine_turn(static_cast<float>(turn));
        const float re = sum[j], im = sum[lanes + j];
        sum[j] = re * c - im * s;
        sum[lanes + j] = re * s + im * c;
    }
}

// A short block repeats its last point, so that every loop runs over all lanes.
void load_points(const BeamformJob& job, std::int64_t first, int count, Points& p) {
    for (int j = 0; j < lanes; ++j) {
        const double* at = job.points + 3 * (first + (j < count ? j : count - 1));
        p.x[j] = at[0], p.y[j] = at[1], p.z[j] = at[2];
    }
    for (int j = 0; j < lanes; ++j) {
        const double x = p.x[j] - job.centre[0], y = p.y[j] - job.centre[1], z = p.z[j] - job.centre[2];
        p.base[j] = std::sqrt(x * x + y * y + z * z);
        p.far[j] = static_cast<float>(p.base[j]);
        p.qx[j] = static_cast<float>(x), p.qy[j] = static_cast<float>(y), p.qz[j] = static_cast<float>(z);
    }
}

// Adds the sums of one transmit to the image, or writes them.
void put(const BeamformJob& job, std::int64_t t, std::int64_t first, int count, float* sum) {
    const int parts = job.channels.complex ? 2 : 1;
    if (job.weights) {
        const float* weight = job.weights + t * job.count + first;
        for (int k = 0; k < parts; ++k)
            for (int j = 0; j < count; ++j) sum[k * lanes + j] *= weight[j];
    }
    const bool add = job.options.compound && t > 0;
    float* out = job.out + parts * ((job.options.compound ? 0 : t * job.count) + first);
    for (int k = 0; k < parts; ++k)
        for (int j = 0; j < count; ++j) {
            float& value = out[parts * j + k];
            value = add ? value + sum[k * lanes + j] : sum[k * lanes + j];
        }
}

int block(const BeamformJob& job, std::int64_t first, int count, const BeamScratch& scratch) {
    Points p;
    load_points(job, first, count, p);
    std::uint8_t front[lanes] = {};
    for (std::int64_t e = 0; e < job.channels.elements; ++e) receive(job, e, p, scratch, front);
    float sum[2 * lanes];  // real parts, then imaginary ones
    for (std::int64_t t = 0; t < job.channels.transmits; ++t) {
        add_transmit(job, t, p, scratch, sum);
        put(job, t, first, count, sum);
    }
    int behind = 0;
    for (int j = 0; j < count; ++j) behind += !front[j];
    return behind;
}

}  // namespace

namespace USFAST_LEVEL {
extern const BeamformTable beamform_kernels;
const BeamformTable beamform_kernels{block};
}  // namespace USFAST_LEVEL

}  // namespace usfast
