// A frame as seen from the grid: how far a voxel lies from its plane, and over which pixel.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "usfast/interpolate.hpp"

namespace usfast::interpolation {

struct Vector {
    double x, y, z;
};

inline Vector operator+(const Vector& a, const Vector& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vector operator-(const Vector& a, const Vector& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vector operator*(double s, const Vector& a) { return {s * a.x, s * a.y, s * a.z}; }
inline double dot(const Vector& a, const Vector& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vector cross(const Vector& a, const Vector& b) {
    return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double length(const Vector& a) { return std::sqrt(dot(a, a)); }

// An affine function of the voxel index.
struct Affine {
    double x, y, z, constant;

    // Its value at index 0 of a row of voxels along x; add x times the slope for the others.
    double row(double at_y, double at_z) const { return y * at_y + (z * at_z + constant); }
    double operator()(double at_x, double at_y, double at_z) const { return x * at_x + row(at_y, at_z); }
    // How far its values in a box lie at most from that at the box's centre.
    double spread(const Vector& half) const {
        return std::abs(x) * half.x + std::abs(y) * half.y + std::abs(z) * half.z;
    }
};

struct Plane {
    Affine distance;                 // mm, signed: positive on the side of step_u x step_v
    Affine u, v;                     // the pixel that the voxel projects to at right angles
    Vector origin, step_u, step_v;   // mm, in the axes of the grid: pixel (0, 0) and the steps to its neighbours
    Vector normal, dual_u, dual_v;   // u = dual_u . (place - origin): 1/mm
    double square_u, shear, rest_v;  // |place|^2 in the plane = square_u (u + shear v)^2 + rest_v v^2
    bool usable;                     // false where the pixels lie on a line
};

// One for each frame in use.
std::vector<Plane> planes_of(const FrameStack& frames, const double spacing[3]);

}  // namespace usfast::interpolation
