#include "outline.hpp"

#include <cstdlib>

namespace usfast {

namespace {

// A neighbouring row, or what lies beyond the image.
struct Neighbour {
    const std::uint64_t* words;  // null: beyond the image
    bool sides;                  // whether its left and right voxels count too
};

struct Rows {
    Neighbour row[9];
    int count = 0;
};

Rows rows_around(const BitVolume& s, std::int64_t z, std::int64_t y, const SurfaceOptions& o) {
    Rows rows;
    for (std::int64_t dz = o.planar ? 0 : -1; dz <= (o.planar ? 0 : 1); ++dz)
        for (std::int64_t dy = -1; dy <= 1; ++dy) {
            const auto steps = std::abs(dz) + std::abs(dy);
            if (steps > o.connectivity) continue;
            const bool inside = z + dz >= 0 && z + dz < s.nz && y + dy >= 0 && y + dy < s.ny;
            rows.row[rows.count++] = {inside ? s.row(z + dz, y + dy) : nullptr, steps + 1 <= o.connectivity};
        }
    return rows;
}

// The voxels of word `w` all of whose neighbours are inside; `beyond` is what lies outside the image.
std::uint64_t eroded(const Rows& rows, std::int64_t w, std::int64_t nx, std::uint64_t beyond) {
    std::uint64_t all = ~std::uint64_t{0};
    for (int i = 0; i < rows.count; ++i) {
        const std::uint64_t* row = rows.row[i].words;
        if (!row) {
            all &= beyond;
            continue;
        }
        std::uint64_t left = (row[w] << 1) | (row[w - 1] >> 63), right = (row[w] >> 1) | (row[w + 1] << 63);
        if (w == 0) left |= beyond & 1;
        if (w == (nx - 1) / 64) right |= (beyond & 1) << ((nx - 1) % 64);
        all &= row[w] & (rows.row[i].sides ? left & right : ~std::uint64_t{0});
    }
    return all;
}

// The rows of voxels around row (z, y) of corners; null beyond the image.
struct Quad {
    const std::uint64_t* row[4];
    int count;
};

Quad quad_around(const BitVolume& s, const Box& box, bool planar, std::int64_t z, std::int64_t y) {
    Quad quad{{}, 0};
    for (std::int64_t dz = planar ? 0 : -1; dz <= 0; ++dz)
        for (std::int64_t dy = -1; dy <= 0; ++dy) {
            const std::int64_t vz = box.z0 + z + dz, vy = box.y0 + y + dy;
            const bool inside = vz >= 0 && vz < s.nz && vy >= 0 && vy < s.ny;
            quad.row[quad.count++] = inside ? s.row(vz, vy) : nullptr;
        }
    return quad;
}

// Voxels at and to the left of the corners of word `w` of the box; words beyond the row are empty.
struct Sides {
    std::uint64_t right, left;
};

Sides sides(const BitVolume& s, const std::uint64_t* row, std::int64_t w) {
    if (!row) return {0, 0};
    const std::uint64_t here = w <= s.row_words() ? row[w] : 0;
    return {here, (here << 1) | (row[w - 1] >> 63)};
}

}  // namespace

BitVolume border_voxels(const BitVolume& s, const Box& box, const SurfaceOptions& o) {
    BitVolume border(box.z1 - box.z0, box.y1 - box.y0, box.x1 - box.x0);
    const std::uint64_t beyond = o.edge_is_surface ? 0 : ~std::uint64_t{0};
    parallel_for(border.nz, o.threads, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < border.ny; ++y) {
            const Rows rows = rows_around(s, box.z0 + z, box.y0 + y, o);
            const std::uint64_t* from = s.row(box.z0 + z, box.y0 + y);
            std::uint64_t* to = border.row(z, y);
            for (std::int64_t i = 0; i < border.row_words(); ++i) {
                const std::int64_t w = box.x0 / 64 + i;
                if (from[w]) to[i] = from[w] & ~eroded(rows, w, s.nx, beyond);
            }
        }
    });
    return border;
}

BitVolume border_corners(const BitVolume& s, const Box& box, bool planar, int threads) {
    BitVolume corners(box.z1 - box.z0 + (planar ? 0 : 1), box.y1 - box.y0 + 1, box.x1 - box.x0 + 1);
    parallel_for(corners.nz, threads, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < corners.ny; ++y) {
            const Quad quad = quad_around(s, box, planar, z, y);
            std::uint64_t* to = corners.row(z, y);
            for (std::int64_t i = 0; i < corners.row_words(); ++i) {
                std::uint64_t any = 0, all = ~std::uint64_t{0};
                for (int k = 0; k < quad.count; ++k) {
                    const Sides side = sides(s, quad.row[k], box.x0 / 64 + i);
                    any |= side.left | side.right, all &= side.left & side.right;
                }
                to[i] = any & ~all;
            }
        }
    });
    return corners;
}

void keep_voxels(BitVolume& border, const BitVolume& only, const Box& box) {
    for (std::int64_t z = 0; z < border.nz; ++z)
        for (std::int64_t y = 0; y < border.ny; ++y) {
            const std::uint64_t* mark = only.row(box.z0 + z, box.y0 + y) + box.x0 / 64;
            for (std::int64_t i = 0; i < border.row_words(); ++i) border.row(z, y)[i] &= mark[i];
        }
}

void keep_corners(BitVolume& corners, const BitVolume& only, const Box& box, bool planar) {
    for (std::int64_t z = 0; z < corners.nz; ++z)
        for (std::int64_t y = 0; y < corners.ny; ++y) {
            const Quad quad = quad_around(only, box, planar, z, y);
            for (std::int64_t i = 0; i < corners.row_words(); ++i) {
                std::uint64_t any = 0;
                for (int k = 0; k < quad.count; ++k) {
                    const Sides side = sides(only, quad.row[k], box.x0 / 64 + i);
                    any |= side.left | side.right;
                }
                corners.row(z, y)[i] &= any;
            }
        }
}

int corner_code(const BitVolume& s, const Box& box, bool planar, std::int64_t z, std::int64_t y, std::int64_t x) {
    const Quad quad = quad_around(s, box, planar, z, y);
    const std::int64_t at = box.x0 + x;
    int code = 0;
    for (int k = 0; k < quad.count; ++k) {
        if (!quad.row[k]) continue;
        const int shift = 2 * (planar ? k + 2 : k);
        if (at > 0) code |= static_cast<int>((quad.row[k][(at - 1) / 64] >> ((at - 1) % 64)) & 1) << shift;
        if (at < s.nx) code |= static_cast<int>((quad.row[k][at / 64] >> (at % 64)) & 1) << (shift + 1);
    }
    return code;
}

}  // namespace usfast
