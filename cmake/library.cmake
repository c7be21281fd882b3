include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(altmin_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/altmin)

# altmin_library(NAME HEADERS file... LINK target...)
# Defines altmin::NAME, the header library itself or a component of it. Each has an export file of its own, so that a
# user of one needs the packages of that one alone.
function(altmin_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;LINK")
  if(name STREQUAL "altmin")
    set(target altmin)
  else()
    set(target altmin_${name})
  endif()
  add_library(${target} INTERFACE)
  add_library(altmin::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(${target} INTERFACE cxx_std_17)
  target_link_libraries(${target} INTERFACE ${arg_LINK})
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${arg_HEADERS})

  install(TARGETS ${target} EXPORT altmin-${name} FILE_SET HEADERS)
  install(EXPORT altmin-${name} NAMESPACE altmin:: DESTINATION ${altmin_package_dir})
endfunction()

# What find_package(altmin) reads.
function(altmin_install_package)
  configure_package_config_file(
    cmake/altminConfig.cmake.in altminConfig.cmake INSTALL_DESTINATION ${altmin_package_dir})
  # Before 1.0 a minor version may break its users.
  write_basic_package_version_file(altminConfigVersion.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
  install(
    FILES ${CMAKE_CURRENT_BINARY_DIR}/altminConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/altminConfigVersion.cmake
    DESTINATION ${altmin_package_dir})
endfunction()
