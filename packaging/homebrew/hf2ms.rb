# scripts/release.py fills this in: the formula of a release is among its files.
class Hf2ms < Formula
  desc "Copies model and dataset repositories between Hugging Face and ModelScope"
  homepage "@repository@"
  version "@version@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@repository@/releases/download/v@version@/hf2ms-aarch64-apple-darwin.tar.gz"
      sha256 "@aarch64-apple-darwin@"
    end
    on_intel do
      url "@repository@/releases/download/v@version@/hf2ms-x86_64-apple-darwin.tar.gz"
      sha256 "@x86_64-apple-darwin@"
    end
  end

  on_linux do
    on_arm do
      url "@repository@/releases/download/v@version@/hf2ms-aarch64-unknown-linux-musl.tar.gz"
      sha256 "@aarch64-unknown-linux-musl@"
    end
    on_intel do
      url "@repository@/releases/download/v@version@/hf2ms-x86_64-unknown-linux-musl.tar.gz"
      sha256 "@x86_64-unknown-linux-musl@"
    end
  end

  def install
    bin.install Dir["hf2ms*"]
    prefix.install "THIRD-PARTY-LICENSES"
    man1.install Dir["share/man/man1/*"]
    generate_completions_from_executable(bin/"hf2ms", "completions")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/hf2ms --version")
    system bin/"hf2ms", "demo"
  end
end
