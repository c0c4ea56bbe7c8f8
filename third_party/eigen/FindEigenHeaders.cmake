# Defines the interface target usfast_eigen. The headers come from the pinned Python build requirement, or from the
# system where USFAST_SYSTEM_EIGEN is on.
file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/VERSION" USFAST_EIGEN_VERSION LIMIT_COUNT 1)
if(USFAST_SYSTEM_EIGEN)
  find_path(USFAST_EIGEN_INCLUDE Eigen/Core PATH_SUFFIXES eigen3 REQUIRED)
else()
  execute_process(
    COMMAND "${Python_EXECUTABLE}" -c
            "import importlib.metadata as m; print(m.distribution('cmeel-eigen').locate_file('cmeel.prefix/include/eigen3'))"
    OUTPUT_VARIABLE USFAST_EIGEN_INCLUDE OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE eigen_missing ERROR_QUIET)
  if(eigen_missing)
    message(FATAL_ERROR "Eigen not found: pip install cmeel-eigen==${USFAST_EIGEN_VERSION}, or -DUSFAST_SYSTEM_EIGEN=ON")
  endif()
endif()
add_library(usfast_eigen INTERFACE)
target_include_directories(usfast_eigen SYSTEM INTERFACE "${USFAST_EIGEN_INCLUDE}")
target_compile_definitions(usfast_eigen INTERFACE EIGEN_MPL2_ONLY)
