#include "plane.hpp"

namespace usfast::interpolation {
namespace {

Affine along(const Vector& direction, const Vector& origin, const double spacing[3]) {
    return {direction.x * spacing[0], direction.y * spacing[1], direction.z * spacing[2], -dot(direction, origin)};
}

Plane plane_of(const double* m, const double spacing[3]) {
    Plane p{};
    p.step_u = {m[0] * spacing[0], m[4] * spacing[1], m[8] * spacing[2]};
    p.step_v = {m[1] * spacing[0], m[5] * spacing[1], m[9] * spacing[2]};
    p.origin = {m[3] * spacing[0], m[7] * spacing[1], m[11] * spacing[2]};
    const Vector across = cross(p.step_u, p.step_v);
    const double area = length(across);
    p.usable = area > 0 && std::isfinite(1 / (area * area)) && std::isfinite(dot(p.origin, p.origin));
    if (!p.usable) return p;
    p.normal = (1 / area) * across;
    p.dual_u = (1 / area) * cross(p.step_v, p.normal);
    p.dual_v = (1 / area) * cross(p.normal, p.step_u);
    p.distance = along(p.normal, p.origin, spacing);
    p.u = along(p.dual_u, p.origin, spacing);
    p.v = along(p.dual_v, p.origin, spacing);
    p.square_u = dot(p.step_u, p.step_u);
    p.shear = dot(p.step_u, p.step_v) / p.square_u;
    p.rest_v = area * area / p.square_u;
    return p;
}

}  // namespace

std::vector<Plane> planes_of(const FrameStack& frames, const double spacing[3]) {
    std::vector<Plane> planes;
    planes.reserve(static_cast<std::size_t>(frames.used));
    for (std::int64_t i = 0; i < frames.used; ++i) planes.push_back(plane_of(frames.image_to_voxel + 12 * i, spacing));
    return planes;
}

}  // namespace usfast::interpolation
