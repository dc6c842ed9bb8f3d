# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#
# Where things go when they are installed. The libraries stand together in the
# library directory; libibverbs finds the provider by its versioned name in its
# own folder below it, where these names are links to the one provider.

set(ARNICA_PROVIDER_ABIS 34 57 59 64 65)

foreach(target arnica-device arnica-standin arnica-provider)
	if(TARGET ${target})
		install(TARGETS ${target}
			LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} NAMELINK_SKIP)
	endif()
endforeach()

if(TARGET arnica-provider)
	foreach(abi ${ARNICA_PROVIDER_ABIS})
		set(link ${CMAKE_BINARY_DIR}/install-links/libarnica-rdmav${abi}.so)
		file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/install-links)
		file(CREATE_LINK ../libarnica.so.1 ${link} SYMBOLIC)
		install(FILES ${link} DESTINATION ${CMAKE_INSTALL_LIBDIR}/libibverbs)
	endforeach()
	file(CREATE_LINK libarnica.so.1 ${CMAKE_BINARY_DIR}/install-links/libarnica.so SYMBOLIC)
	install(FILES ${CMAKE_BINARY_DIR}/install-links/libarnica.so
		DESTINATION ${CMAKE_INSTALL_LIBDIR})
	file(WRITE ${CMAKE_BINARY_DIR}/install-links/arnica.driver "driver arnica\n")
	install(FILES ${CMAKE_BINARY_DIR}/install-links/arnica.driver
		DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/libibverbs.d)
endif()

if(TARGET arnica)
	install(TARGETS arnica RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
if(EXISTS ${CMAKE_SOURCE_DIR}/include/infiniband/arnicadv.h)
	install(FILES ${CMAKE_SOURCE_DIR}/include/infiniband/arnicadv.h
		DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/infiniband)
endif()
file(GLOB pages CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/man/*.[1-9])
foreach(page ${pages})
	string(REGEX REPLACE "^.*\\." "" section ${page})
	install(FILES ${page} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
