# SPDX-License-Identifier: BSD-2-Clause
# private-apt.sh - for scripts: `. scripts/private-apt.sh` gives them private_apt. They define die STATUS TEXT...
mirror=${TWOSTAGE_MIRROR:-http://deb.debian.org/debian}

# private_apt FOLDER arm64|host SUITE... - from here on apt works in FOLDER, with a configuration of its own, on
# packages of these suites of Debian: nothing is installed on this machine. arm64: none counts as installed;
# host: of this machine's architecture, and what is installed here does. The lists are not read yet.
private_apt() {
	apt=$1 architecture=$2
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	shift 2
	for tool in apt-get dpkg-deb; do
		command -v "$tool" >/dev/null 2>&1 || die 69 "$tool is missing; this needs Debian"
	done
	[ -e "$keyring" ] || die 69 "$keyring is missing; install the package debian-archive-keyring"
	mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/empty" || die 74 "$apt: cannot be made"
	for each in "$@"; do
		echo "deb [signed-by=$keyring] $mirror $each main"
	done >"$apt/sources.list"
	installed=/var/lib/dpkg/status
	if [ "$architecture" = arm64 ]; then
		installed=$apt/status
		: >"$installed"
		echo 'APT::Architecture "arm64"; APT::Architectures { "arm64"; };'
	fi >"$apt/apt.conf"
	cat >>"$apt/apt.conf" <<-END
		APT::Install-Recommends "false";
		APT::Sandbox::User "";
		Acquire::Languages "none";
		Debug::NoLocking "true";
		Dir::State "$apt";
		Dir::State::lists "$apt/lists";
		Dir::State::status "$installed";
		Dir::Cache "$apt";
		Dir::Cache::archives "$apt/archives";
		Dir::Etc::sourcelist "$apt/sources.list";
		Dir::Etc::sourceparts "$apt/empty";
		Dir::Etc::preferencesparts "$apt/empty";
	END
	APT_CONFIG=$apt/apt.conf
	export APT_CONFIG
}
