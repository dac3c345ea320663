; Inno Setup: the installer for Windows, around dist\noiseloom. It needs no administrator.
#define Version GetVersionNumbersString("..\..\dist\noiseloom\noiseloom.exe")

[Setup]
AppId=org.noiseloom.Noiseloom
AppName=Noiseloom
AppVersion={#Version}
AppPublisher=The Noiseloom authors
DefaultDirName={autopf}\Noiseloom
DisableProgramGroupPage=yes
PrivilegesRequired=lowest
OutputDir=..\..\dist
OutputBaseFilename=noiseloom-{#Version}-setup
Compression=lzma2/max
SolidCompression=yes
ArchitecturesAllowed=x64compatible
ArchitecturesInstallIn64BitMode=x64compatible
ChangesAssociations=yes
UninstallDisplayIcon={app}\noiseloom.exe

[Files]
Source: "..\..\dist\noiseloom\*"; DestDir: "{app}"; Flags: recursesubdirs ignoreversion

[Icons]
Name: "{autoprograms}\Noiseloom"; Filename: "{app}\noiseloom.exe"

[Registry]
Root: HKA; Subkey: "Software\Classes\.noiseloom-lesson"; ValueType: string; ValueData: "Noiseloom.Lesson"; Flags: uninsdeletekey
Root: HKA; Subkey: "Software\Classes\Noiseloom.Lesson\shell\open\command"; ValueType: string; ValueData: """{app}\noiseloom.exe"" ""%1"""; Flags: uninsdeletekey
